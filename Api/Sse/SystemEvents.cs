using System.Buffers;
using System.Text.Json;
using OrleansEvents.Api.Http;
using OrleansEvents.Api.Problems;
using OrleansEvents.Streams;

namespace OrleansEvents.Api.Sse;

/// <summary>Says on <c>$system</c> what an operator watches for.</summary>
internal sealed class SystemEvents(IEventStreams streams)
{
    public const string Stream = "$system";

    /// <summary>A connection's trouble; sent off, not waited for: it must never hold up what went wrong.</summary>
    public void ConnectionError(ErrorCode code, string message, string connection, string stream)
    {
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

    /// <summary>A webhook gets nothing any more. Critical, so that whoever is to know gets it whenever he comes; if it
    /// cannot be stored, whoever watches now is told.</summary>
    public async Task WebhookDisabled(string stream, string subscriber, string url, DateTimeOffset since,
        string reason)
    {
        var data = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(data, JsonAnswer.WriterOptions))
        {
            json.WriteStartObject();
            json.WriteString("code", ErrorCode.WebhookDisabled.WireName());
            json.WriteString("message", $"The webhook of {subscriber} gets nothing any more: {reason}.");
            json.WriteString("stream", stream);
            json.WriteString("subscriber", subscriber);
            json.WriteString("url", url);
            json.WriteString("since", since.ToString(Problem.TimeFormat, null));
            json.WriteString("reason", reason);
            json.WriteEndObject();
        }
        NewEvent[] events = [new("connection_error"u8.ToArray(), 1, data.WrittenMemory, Critical: true)];
        var published = await streams.Publish(Stream, events, null, CancellationToken.None);
        if (published.Refusal is not null) Publish("connection_error", data.WrittenMemory);
    }

    private void Publish(string type, ReadOnlyMemory<byte> data)
    {
        NewEvent[] events = [new(System.Text.Encoding.ASCII.GetBytes(type), 1, data, Critical: false)];
        var published = streams.Publish(Stream, events, null, CancellationToken.None);
        if (!published.IsCompletedSuccessfully) _ = published.AsTask();
    }
}
