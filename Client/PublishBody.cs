using System.Buffers;
using System.Globalization;
using System.Text.Json;

namespace OrleansEvents.Client;

/// <summary>Writes the events of a request, one JSON line each.</summary>
internal static class PublishBody
{
    public const string ContentType = "application/x-ndjson";

    private const string TimeForm = "yyyy-MM-ddTHH:mm:ss.fffZ";

    public static ReadOnlyMemory<byte> Of(IEnumerable<NewEvent> events, Func<string> nextKey)
    {
        var body = new ArrayBufferWriter<byte>();
        using var json = new Utf8JsonWriter(body, JsonBody.Plain);
        foreach (var @new in events)
        {
            try
            {
                Write(json, @new, nextKey);
            }
            catch (JsonException notJson)
            {
                throw new EventsException("INVALID_INPUT", "the event's data is not JSON: " + notJson.Message);
            }
            body.Write("\n"u8);
            json.Reset();
        }
        return body.WrittenMemory;
    }

    private static void Write(Utf8JsonWriter json, NewEvent @new, Func<string> nextKey)
    {
        json.WriteStartObject();
        json.WriteString("type"u8, @new.Type);
        if (@new.Version != 1)
            json.WriteNumber("version"u8, @new.Version);
        if (@new.Critical is { } critical)
            json.WriteBoolean("critical"u8, critical);
        json.WriteString("key"u8, @new.Key ?? nextKey());
        if (@new.Time is { } time)
            json.WriteString("time"u8, time.UtcDateTime.ToString(TimeForm, CultureInfo.InvariantCulture));
        json.WritePropertyName("data"u8);
        json.WriteRawValue(OnOneLine(@new.Data).Span);
        json.WriteEndObject();
        json.Flush();
    }

    /// <summary>Raw CR and LF can only stand between JSON tokens; there they would end the NDJSON line.</summary>
    private static ReadOnlyMemory<byte> OnOneLine(ReadOnlyMemory<byte> data)
    {
        if (data.Span.IndexOfAny((byte)'\r', (byte)'\n') < 0)
            return data;
        var copy = data.ToArray();
        copy.AsSpan().Replace((byte)'\r', (byte)' ');
        copy.AsSpan().Replace((byte)'\n', (byte)' ');
        return copy;
    }
}
