using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace OrleansEvents.Api.Sse;

/// <summary>Writes the server's own frames: an event name, JSON data, and an id or retry where they have one.</summary>
internal static class ServerFrame
{
    /// <summary>The frames' names, and those that EventSource uses itself: no event type gets them as its
    /// name.</summary>
    public static readonly string[] Names =
        ["connected", "heartbeat", "ping", "pong", "test", "gap", "problem", "end", "message", "open", "error"];

    private static readonly JsonWriterOptions s_json = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static void Write<T>(IBufferWriter<byte> output, string name, T content, Action<Utf8JsonWriter, T> data,
        string? id = null, long? retryMs = null)
    {
        Line(output, "event: ", name);
        if (id is not null) Line(output, "id: ", id);
        if (retryMs is { } retry) Line(output, "retry: ",
            retry.ToString(System.Globalization.CultureInfo.InvariantCulture));
        output.Write("data: "u8);
        using (var json = new Utf8JsonWriter(output, s_json))
        {
            json.WriteStartObject();
            data(json, content);
            json.WriteEndObject();
        }
        output.Write("\n\n"u8);
    }

    private static void Line(IBufferWriter<byte> output, string field, string value)
    {
        Encoding.UTF8.GetBytes(field, output);
        Encoding.UTF8.GetBytes(value, output);
        output.Write("\n"u8);
    }
}
