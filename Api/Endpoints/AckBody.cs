using System.Text.Json;
using OrleansEvents.Streams;

namespace OrleansEvents.Api.Endpoints;

/// <summary>The body of an acknowledgement: <c>{"ids":[…]}</c> or <c>{"upTo":"cursor"}</c>, one of them.</summary>
internal static class AckBody
{
    private const int MostIds = 10_000;

    public static AckRequest? Parse(ReadOnlyMemory<byte> body, out Refusal invalid)
    {
        invalid = default;
        try
        {
            using var json = JsonDocument.Parse(body);
            if (json.RootElement.ValueKind == JsonValueKind.Object && json.RootElement.GetPropertyCount() == 1)
            {
                var member = json.RootElement.EnumerateObject().First();
                if (member.NameEquals("ids") && IdsOf(member.Value) is { } ids) return new AckRequest(ids, null);
                if (member.NameEquals("upTo") && member.Value.ValueKind == JsonValueKind.String
                    && Cursor.TryParse(member.Value.GetString(), out var cursor)) return new AckRequest(null, cursor);
            }
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // Malformed, or a string that is no text: answered as any other body that is not one of the two.
        }
        invalid = new Refusal(ErrorCode.InvalidInput,
            $"{{\"ids\":[…]}} with 1 to {MostIds} ids, or {{\"upTo\":\"<cursor>\"}}.");
        return null;
    }

    private static List<string>? IdsOf(JsonElement array)
    {
        if (array.ValueKind != JsonValueKind.Array || array.GetArrayLength() is 0 or > MostIds) return null;
        var ids = new List<string>(array.GetArrayLength());
        foreach (var id in array.EnumerateArray())
        {
            if (id.ValueKind != JsonValueKind.String) return null;
            ids.Add(id.GetString()!);
        }
        return ids;
    }
}
