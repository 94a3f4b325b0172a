using System.Buffers;
using System.Text.Json;
using OrleansEvents.Api.Http;
using OrleansEvents.Api.Metrics;
using OrleansEvents.Streams;

namespace OrleansEvents.Api.Sse;

/// <summary>Says on <c>$system</c> what an operator watches for.</summary>
internal sealed class SystemEvents(IEventStreams streams, ServerMeter meter, Operations operations)
{
    public const string Stream = "$system";

    /// <summary>A connection's trouble; sent off, not waited for: it must never hold up what went wrong.</summary>
    public void ConnectionError(ErrorCode code, string message, string connection, string stream)
    {
        meter.Told(code, "system");
        var data = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(data, JsonAnswer.WriterOptions))
        {
            json.WriteStartObject();
            json.WriteString("code", code.WireName());
            json.WriteString("message", message);
            json.WriteString("connection", connection);
            json.WriteString("stream", stream);
            json.WriteEndObject();
        }
        Publish("connection_error", data.WrittenMemory);
    }

    /// <summary>The server's own state.</summary>
    public void Status(string status, string message)
    {
        var data = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(data, JsonAnswer.WriterOptions))
        {
            json.WriteStartObject();
            json.WriteString("status", status);
            json.WriteString("message", message);
            json.WriteEndObject();
        }
        // Not critical by rule: it must be said just when storage is down.
        Publish("server_status", data.WrittenMemory);
    }

    private void Publish(string type, ReadOnlyMemory<byte> data)
    {
        NewEvent[] events = [new(System.Text.Encoding.ASCII.GetBytes(type), 1, data, Critical: false)];
        var published = operations.Limit(streams.Publish(Stream, events, null, CancellationToken.None), "publish",
            Stream);
        if (!published.IsCompletedSuccessfully) _ = published.AsTask();
    }
}
