using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace OrleansEvents.Api.Http;

/// <summary>Answers with one JSON object.</summary>
internal static class JsonAnswer
{
    /// <summary>Answers are no part of a page: only what JSON itself needs is escaped.</summary>
    public static readonly JsonWriterOptions WriterOptions =
        new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static Task Write<T>(HttpContext context, int status, T content, Action<Utf8JsonWriter, T> write)
    {
        var body = new ArrayBufferWriter<byte>(256);
        using (var json = new Utf8JsonWriter(body, WriterOptions))
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
