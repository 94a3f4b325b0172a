using System.Buffers;
using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using OrleansEvents.Client;

namespace OrleansEvents.Cli;

/// <summary>The standard payload of a process's output.</summary>
internal static class LogEntry
{
    public const string Output = "stdout";
    public const string ErrorOutput = "stderr";
    public const string System = "system";
    public const string Error = "error";

    // Text in other scripts stays itself: escaped it would be up to six times as long.
    private static readonly JsonWriterOptions Plain = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static NewEvent Event(string type, string content, DateTimeOffset time, string key)
    {
        var data = new ArrayBufferWriter<byte>(content.Length + 96);
        using var json = new Utf8JsonWriter(data, Plain);
        json.WriteStartObject();
        json.WriteString("type"u8, type);
        json.WriteString("content"u8, content);
        json.WriteString(
            "timestamp"u8, time.UtcDateTime.ToString("yyyy-MM-ddTHH:mm:ss.fffZ", CultureInfo.InvariantCulture));
        json.WriteEndObject();
        json.Flush();
        return new NewEvent("log_entry", data.WrittenMemory) { Key = key, Time = time };
    }
}
