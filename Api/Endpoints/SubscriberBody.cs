using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using OrleansEvents.Streams;

namespace OrleansEvents.Api.Endpoints;

/// <summary>The bodies of what a subscriber says of its events.</summary>
internal static class SubscriberBody
{
    private const int MostIds = 10_000;
    private static readonly TimeSpan s_longestDelay = SubscriberPolicy.MaxWait;
    private static readonly string s_ids = $"\"ids\" with 1 to {MostIds} ids";

    /// <summary><c>{"ids":[…]}</c> or <c>{"upTo":"cursor"}</c>, one of them.</summary>
    public static bool TryParseAck(ReadOnlyMemory<byte> body, [NotNullWhen(true)] out AckRequest? request,
        out Refusal invalid)
    {
        IReadOnlyList<string>? ids = null;
        Cursor? upTo = null;
        var isValid = EachMember(body, member => member.NameEquals("ids") ? (ids = IdsOf(member.Value)) is not null
            : member.NameEquals("upTo") && (upTo = CursorOf(member.Value)) is not null);
        request = isValid && ids is null != upTo is null ? new AckRequest(ids, upTo) : null;
        invalid = Invalid($"{s_ids}, or \"upTo\" with a cursor.");
        return request is not null;
    }

    /// <summary><c>{"ids":[…],"delay":2}</c>; without a delay it comes again by the back-off.</summary>
    public static bool TryParseNack(ReadOnlyMemory<byte> body, [NotNullWhen(true)] out NackRequest? request,
        out Refusal invalid)
    {
        IReadOnlyList<string>? ids = null;
        TimeSpan? delay = null;
        var isValid = EachMember(body, member => member.NameEquals("ids") ? (ids = IdsOf(member.Value)) is not null
            : member.NameEquals("delay") && (delay = SecondsOf(member.Value)) is not null);
        request = isValid && ids is not null ? new NackRequest(ids, delay) : null;
        invalid = Invalid($"{s_ids}, and perhaps \"delay\" with 0 to {s_longestDelay.TotalSeconds} seconds.");
        return request is not null;
    }

    /// <summary><c>{}</c> for all, or <c>{"ids":[…]}</c>; an empty body is all too.</summary>
    public static bool TryParseReplay(ReadOnlyMemory<byte> body, [NotNullWhen(true)] out ReplayRequest? request,
        out Refusal invalid)
    {
        IReadOnlyList<string>? ids = null;
        var isValid = body.IsEmpty || EachMember(body, member =>
            member.NameEquals("ids") && (ids = IdsOf(member.Value)) is not null);
        request = isValid ? new ReplayRequest(ids) : null;
        invalid = Invalid($"{{}} for all, or {s_ids}.");
        return isValid;
    }

    private static Refusal Invalid(string rule) => new(ErrorCode.InvalidInput, $"The body must be an object: {rule}");

    private static bool EachMember(ReadOnlyMemory<byte> body, Func<JsonProperty, bool> take)
    {
        try
        {
            using var json = JsonDocument.Parse(body);
            if (json.RootElement.ValueKind != JsonValueKind.Object) return false;
            var seen = new HashSet<string>(StringComparer.Ordinal);
            foreach (var member in json.RootElement.EnumerateObject())
                if (!seen.Add(member.Name) || !take(member)) return false;
            return true;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // Malformed, or a string that is no text: answered as any other body that is not what it should be.
            return false;
        }
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

    private static Cursor? CursorOf(JsonElement value) =>
        value.ValueKind == JsonValueKind.String && Cursor.TryParse(value.GetString(), out var cursor) ? cursor : null;

    private static TimeSpan? SecondsOf(JsonElement value) => value.ValueKind == JsonValueKind.Number
        && value.TryGetDouble(out var seconds) && seconds >= 0 && seconds <= s_longestDelay.TotalSeconds
        ? TimeSpan.FromSeconds(seconds) : null;
}

/// <summary>Which dead letters to put back; null: all.</summary>
internal sealed record ReplayRequest(IReadOnlyList<string>? Ids);
