using System.Buffers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using OrleansEvents.Api.Http;
using OrleansEvents.Api.Sse;
using OrleansEvents.Streams;

namespace OrleansEvents.Api.Webhooks;

/// <summary>Makes the message of one event: its own JSON, or a CloudEvent in structured mode.</summary>
internal static class WebhookBody
{
    private static readonly string[] s_leading = ["specversion", "id", "source", "type", "subject", "time"];
    private static readonly JsonWriterOptions s_unchecked =
        JsonAnswer.WriterOptions with { SkipValidation = true };

    public static WebhookMessage Make(string stream, string subscriber, ReadOnlySpan<byte> frame, in EventSlot slot,
        int attempt, bool asCloudEvent)
    {
        var body = new ArrayBufferWriter<byte>(slot.Length + 64);
        var members = new EventMembers(frame[EventSlot.JsonStart..^2]);
        if (asCloudEvent) WriteCloudEvent(body, members);
        else EventShape.WriteJson(body, frame, slot, attempt);
        return new WebhookMessage(IdOf(stream, subscriber, CursorOf(frame)), body.WrittenMemory, members.TraceParent);
    }

    /// <summary>The event's own cursor, from the line that its frame begins with.</summary>
    public static string CursorOf(ReadOnlySpan<byte> frame) =>
        Encoding.ASCII.GetString(frame.Slice(EventSlot.IdLineLength - 1 - Cursor.TextLength, Cursor.TextLength));

    /// <summary>The same for every attempt, and another for each subscriber: a receiver may stand behind
    /// several.</summary>
    public static string IdOf(string stream, string subscriber, string id)
    {
        var hash = SHA256.HashData(Encoding.UTF8.GetBytes($"{stream}/{subscriber}/{id}"));
        return $"msg_{Convert.ToHexStringLower(hash.AsSpan(0, 16))}";
    }

    /// <summary>An event that was published as a CloudEvent has its own attributes, all but its type; only what it
    /// lacks is made.</summary>
    private static void WriteCloudEvent(IBufferWriter<byte> output, in EventMembers members)
    {
        using var own = members.CloudEvent.IsEmpty ? null : JsonDocument.Parse(members.CloudEvent.ToArray());
        using var json = new Utf8JsonWriter(output, s_unchecked);
        json.WriteStartObject();
        foreach (var name in s_leading)
        {
            if (own?.RootElement.TryGetProperty(name, out var value) == true) Write(json, name, value);
            else WriteMade(json, name, members);
        }
        var isBase64 = false;
        var isTraced = false;
        foreach (var attribute in own?.RootElement.EnumerateObject() ?? default)
        {
            isBase64 |= attribute.NameEquals("data_base64");
            isTraced |= attribute.NameEquals("traceparent");
            if (!s_leading.Contains(attribute.Name) && !attribute.NameEquals("data_base64"))
                Write(json, attribute.Name, attribute.Value);
        }
        if (!isTraced && members.TraceParent is { } trace) json.WriteString("traceparent", trace);
        if (own is null) json.WriteString("datacontenttype", "application/json");
        json.WritePropertyName(isBase64 ? "data_base64" : "data");
        json.WriteRawValue(members.Data, skipInputValidation: true);
        json.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter json, string name, JsonElement value)
    {
        json.WritePropertyName(name);
        value.WriteTo(json);
    }

    private static void WriteMade(Utf8JsonWriter json, string name, in EventMembers members)
    {
        switch (name)
        {
            case "specversion":
                json.WriteString(name, "1.0");
                break;
            case "source":
                json.WriteString(name, $"/api/streams/{Encoding.UTF8.GetString(members.Stream)}");
                break;
            case "id" or "type" or "time":
                json.WritePropertyName(name);
                json.WriteRawValue(name == "id" ? members.Id : name == "type" ? members.Type : members.Time,
                    skipInputValidation: true);
                break;
        }
    }

    /// <summary>Where the members of an event's JSON lie that are sent again in another form.</summary>
    private readonly ref struct EventMembers
    {
        public readonly ReadOnlySpan<byte> Id;
        public readonly ReadOnlySpan<byte> Stream;
        public readonly ReadOnlySpan<byte> Type;
        public readonly ReadOnlySpan<byte> Time;
        public readonly ReadOnlySpan<byte> Data;
        public readonly ReadOnlySpan<byte> CloudEvent;
        public readonly string? TraceParent;

        public EventMembers(ReadOnlySpan<byte> text)
        {
            var json = new Utf8JsonReader(text);
            json.Read();
            while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
            {
                var name = json.ValueSpan;
                json.Read();
                var start = (int)json.TokenStartIndex;
                if (name.SequenceEqual("traceparent"u8)) TraceParent = Encoding.ASCII.GetString(json.ValueSpan);
                if (name.SequenceEqual("stream"u8)) Stream = json.ValueSpan;
                json.Skip();
                var value = text[start..(int)json.BytesConsumed];
                if (name.SequenceEqual("id"u8)) Id = value;
                else if (name.SequenceEqual("type"u8)) Type = value;
                else if (name.SequenceEqual("time"u8)) Time = value;
                else if (name.SequenceEqual("data"u8)) Data = value;
                else if (name.SequenceEqual("cloudevent"u8)) CloudEvent = value;
            }
        }
    }
}
