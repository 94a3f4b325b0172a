using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace OrleansEvents.Api.Http;

/// <summary>Answers with one JSON object.</summary>
internal static class JsonAnswer
{
    private static readonly JsonWriterOptions s_json = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static Task Write<T>(HttpContext context, int status, T content, Action<Utf8JsonWriter, T> write)
    {
        var body = new ArrayBufferWriter<byte>(256);
        using (var json = new Utf8JsonWriter(body, s_json))
        {
            json.WriteStartObject();
            write(json, content);
            json.WriteEndObject();
        }
        return Write(context, status, body.WrittenMemory);
    }

    public static Task Write(HttpContext context, int status, ReadOnlyMemory<byte> body)
    {
        var response = context.Response;
        response.StatusCode = status;
        response.ContentType = "application/json";
        response.ContentLength = body.Length;
        if (response.Headers.CacheControl.Count == 0) response.Headers.CacheControl = "no-store";
        return response.Body.WriteAsync(body, context.RequestAborted).AsTask();
    }
}
