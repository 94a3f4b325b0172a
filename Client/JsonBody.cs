using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace OrleansEvents.Client;

/// <summary>The body of a request that is one JSON object.</summary>
internal static class JsonBody
{
    public const string ContentType = "application/json";

    // Bodies are read by a JSON parser only, so nothing but what JSON asks for needs escaping.
    public static readonly JsonWriterOptions Plain = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static ReadOnlyMemory<byte> Of(Action<Utf8JsonWriter> members)
    {
        var body = new ArrayBufferWriter<byte>();
        using var json = new Utf8JsonWriter(body, Plain);
        json.WriteStartObject();
        members(json);
        json.WriteEndObject();
        json.Flush();
        return body.WrittenMemory;
    }

    public static void WriteTexts(this Utf8JsonWriter json, string name, IEnumerable<string> texts)
    {
        json.WriteStartArray(name);
        foreach (var text in texts)
            json.WriteStringValue(text);
        json.WriteEndArray();
    }
}
