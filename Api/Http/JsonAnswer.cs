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

    /// <summary>Bytes of a buffer that is kept for the next answer.</summary>
    private const int MostKept = 64 << 10;

    [ThreadStatic]
    private static ArrayBufferWriter<byte>? s_body;

    [ThreadStatic]
    private static Utf8JsonWriter? s_json;

    public static Task Write<T>(HttpContext context, int status, T content, Action<Utf8JsonWriter, T> write)
    {
        // Taken: what fails in the middle leaves nothing to the next.
        var (body, json) = (s_body ?? new(512), s_json);
        (s_body, s_json) = (null, null);
        if (json is null) json = new Utf8JsonWriter(body, WriterOptions);
        else json.Reset(body);
        json.WriteStartObject();
        write(json, content);
        json.WriteEndObject();
        json.Flush();
        // Copied before anything is waited for.
        var writing = Write(context, status, body.WrittenSpan);
        if (body.Capacity > MostKept) return writing;
        body.ResetWrittenCount();
        (s_body, s_json) = (body, json);
        return writing;
    }

    public static Task Write(HttpContext context, int status, ReadOnlySpan<byte> body)
    {
        var response = context.Response;
        response.StatusCode = status;
        response.ContentType = "application/json";
        response.ContentLength = body.Length;
        if (response.Headers.CacheControl.Count == 0) response.Headers.CacheControl = "no-store";
        response.BodyWriter.Write(body);
        var flushing = response.BodyWriter.FlushAsync();
        return flushing.IsCompletedSuccessfully ? Task.CompletedTask : flushing.AsTask();
    }
}
