using System.Globalization;
using System.Text.Json;

namespace OrleansEvents.Client;

/// <summary>An event as the server sent it.</summary>
public sealed class StreamEvent
{
    private readonly ReadOnlyMemory<byte> _data;
    private readonly ReadOnlyMemory<byte> _cloudEvent;

    private StreamEvent(ReadOnlyMemory<byte> json, ReadOnlyMemory<byte> data, ReadOnlyMemory<byte> cloudEvent)
    {
        Json = json;
        _data = data;
        _cloudEvent = cloudEvent;
    }

    /// <summary>The whole event as it was received: one line of JSON in UTF-8.</summary>
    public ReadOnlyMemory<byte> Json { get; }

    /// <summary>The event's own cursor: reading after it goes on with the next.</summary>
    public string Id { get; private init; } = "";

    /// <summary>Its number in its stream: strictly increasing, but it may jump.</summary>
    public long Seq { get; private init; }

    /// <summary>The stream it is in.</summary>
    public string Stream { get; private init; } = "";

    /// <summary>What kind of event it is.</summary>
    public string Type { get; private init; } = "";

    /// <summary>The version of the type's schema.</summary>
    public int Version { get; private init; } = 1;

    /// <summary>When it happened; null when the server's form of it is not understood.</summary>
    public DateTimeOffset? Time { get; private init; }

    /// <summary>Whether it is owed to subscribers until they acknowledge it.</summary>
    public bool Critical { get; private init; }

    /// <summary>The publisher's own id for it.</summary>
    public string? Key { get; private init; }

    /// <summary>Which delivery this is: 1, or more for a redelivery to a subscriber.</summary>
    public int Attempt { get; private init; } = 1;

    /// <summary>The W3C trace context it was published with.</summary>
    public string? TraceParent { get; private init; }

    /// <summary>The attributes it was published with as a CloudEvent, all but its type; null for another. A member
    /// <c>data_base64</c> that is true says that the data is a string which holds bytes. Parsed on each call.</summary>
    public JsonElement? CloudEvent => _cloudEvent.IsEmpty ? null : JsonElement.Parse(_cloudEvent.Span);

    /// <summary>The event's data as JSON in UTF-8.</summary>
    public ReadOnlyMemory<byte> DataJson => _data;

    /// <summary>The event's data. Parsed on each call.</summary>
    public JsonElement Data => JsonElement.Parse(_data.Span);

    /// <summary>Reads the data as a value of the application.</summary>
    /// <param name="json">How it is read; null takes camel case, as the standard payloads have it.</param>
    public T? DataAs<T>(JsonSerializerOptions? json = null) =>
        JsonSerializer.Deserialize<T>(_data.Span, json ?? JsonSerializerOptions.Web);

    internal static StreamEvent Parse(ReadOnlyMemory<byte> json)
    {
        var reader = new Utf8JsonReader(json.Span);
        var members = new Members();
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
            throw new JsonException("an event is an object");
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            members.Read(ref reader, json);
        return members.Made(json);
    }

    /// <summary>What has been read so far. Unknown members are passed over: a newer server may send more.</summary>
    private struct Members
    {
        private string? _id, _stream, _type, _time, _key, _traceParent;
        private long _seq;
        private int _version = 1, _attempt = 1;
        private bool _critical;
        private ReadOnlyMemory<byte> _data, _cloudEvent;

        public Members()
        {
        }

        public void Read(ref Utf8JsonReader reader, ReadOnlyMemory<byte> json)
        {
            if (Take(ref reader, "id"u8)) _id = reader.GetString();
            else if (Take(ref reader, "seq"u8)) _seq = reader.GetInt64();
            else if (Take(ref reader, "stream"u8)) _stream = reader.GetString();
            else if (Take(ref reader, "type"u8)) _type = reader.GetString();
            else if (Take(ref reader, "version"u8)) _version = reader.GetInt32();
            else if (Take(ref reader, "time"u8)) _time = reader.GetString();
            else if (Take(ref reader, "critical"u8)) _critical = reader.GetBoolean();
            else if (Take(ref reader, "data"u8)) _data = Value(ref reader, json);
            else if (Take(ref reader, "cloudevent"u8)) _cloudEvent = Value(ref reader, json);
            else if (Take(ref reader, "key"u8)) _key = reader.GetString();
            else if (Take(ref reader, "attempt"u8)) _attempt = reader.GetInt32();
            else if (Take(ref reader, "traceparent"u8)) _traceParent = reader.GetString();
            else reader.Skip();
        }

        public readonly StreamEvent Made(ReadOnlyMemory<byte> json)
        {
            if (_id is null || _stream is null || _type is null || _data.IsEmpty)
                throw new JsonException("an event has an id, a stream, a type and data");
            return new(json, _data, _cloudEvent)
            {
                Id = _id,
                Seq = _seq,
                Stream = _stream,
                Type = _type,
                Version = _version,
                Time = ParsedTime(_time),
                Critical = _critical,
                Key = _key,
                Attempt = _attempt,
                TraceParent = _traceParent,
            };
        }

        private static bool Take(ref Utf8JsonReader reader, ReadOnlySpan<byte> name) =>
            reader.ValueTextEquals(name) && reader.Read();

        private static ReadOnlyMemory<byte> Value(ref Utf8JsonReader reader, ReadOnlyMemory<byte> json)
        {
            var start = (int)reader.TokenStartIndex;
            reader.Skip();
            return json[start..(int)reader.BytesConsumed];
        }

        private static DateTimeOffset? ParsedTime(string? text) =>
            DateTimeOffset.TryParse(
                text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time) ? time : null;
    }
}
