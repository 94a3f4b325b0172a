using System.Buffers;
using System.Text.Json;
using OrleansEvents.Grains.Interfaces;
using OrleansEvents.Streams;

namespace OrleansEvents.Grains.Bridge;

/// <summary>Checks what is published to an Orleans stream, by the rules of a request's body: it is made one.</summary>
internal static class PublishedItems
{
    public static Outcome<PublishBody> Read<T>(IEnumerable<T> items, BridgeOptions options)
    {
        var body = new ArrayBufferWriter<byte>(1024);
        using (var json = new Utf8JsonWriter(body))
        {
            json.WriteStartArray();
            foreach (var item in items)
            {
                if (item is not GrainEvent @event)
                    return Invalid($"An item of {typeof(T).Name}: what is published is a {nameof(GrainEvent)}.");
                if (Write(json, @event) is { } problem) return Invalid(problem);
                if (json.BytesCommitted + json.BytesPending > options.RequestBytes)
                    return new Refusal(Streams.ErrorCode.EventTooLarge,
                        $"More than {options.RequestBytes} bytes in one publish.");
            }
            json.WriteEndArray();
        }
        return PublishBody.TryParse(body.WrittenSpan.ToArray(), PublishForm.Json, options.Limits, out var parsed,
            out var refusal) ? parsed : refusal;
    }

    private static string? Write(Utf8JsonWriter json, GrainEvent @event)
    {
        if (@event.Gap is not null || @event.Ended is not null) return "A gap or an end is not published.";
        try
        {
            json.WriteStartObject();
            json.WriteString("type", @event.Type);
            json.WriteNumber("version", @event.Version);
            json.WritePropertyName("data");
            // Checked to be one value, so that nothing else comes with it.
            json.WriteRawValue(@event.Data.Span);
            if (@event.Critical is { } critical) json.WriteBoolean("critical", critical);
            if (@event.Key is { } key) json.WriteString("key", key);
            if (@event.Time is { } time) json.WriteString("time", time);
            json.WriteEndObject();
            return null;
        }
        catch (Exception e) when (e is JsonException or ArgumentException)
        {
            return $"Malformed JSON. {e.Message}";
        }
    }

    private static Refusal Invalid(string detail) => new(Streams.ErrorCode.InvalidInput, detail);
}
