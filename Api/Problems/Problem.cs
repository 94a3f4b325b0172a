using System.Buffers;
using System.Globalization;
using System.Text.Json;
using OrleansEvents.Api.Http;
using OrleansEvents.Api.Metrics;
using OrleansEvents.Streams;

namespace OrleansEvents.Api.Problems;

/// <summary>Answers a request with a refusal, as <c>application/problem+json</c> (RFC 9457).</summary>
internal static class Problem
{
    public const string ContentType = "application/problem+json";
    public const string TimeFormat = "yyyy-MM-dd'T'HH:mm:ss.fff'Z'";

    public static Task Write(HttpContext context, ErrorCode code, string detail, int? status = null) =>
        Write(context, new Refusal(code, detail), status);

    /// <param name="context">The request; its answer must not have started.</param>
    /// <param name="refusal">Why.</param>
    /// <param name="status">Another of the code's statuses than its first.</param>
    /// <param name="more">Writes further members.</param>
    public static async Task Write(
        HttpContext context, Refusal refusal, int? status = null, Action<Utf8JsonWriter>? more = null)
    {
        var row = ErrorCatalogue.Of(refusal.Code);
        context.RequestServices.GetRequiredService<ServerMeter>().Answered(refusal.Code);
        var response = context.Response;
        response.StatusCode = status ?? row.Status
            ?? throw new ArgumentException($"{row.WireName} is no answer to a request", nameof(refusal));
        response.ContentType = ContentType;
        response.Headers.CacheControl = "no-store";
        if ((refusal.RetryAfter ?? row.RetryAfter) is { } wait)
        {
            var seconds = Math.Max(1, (long)Math.Ceiling(wait.TotalSeconds));
            response.Headers.RetryAfter = seconds.ToString(CultureInfo.InvariantCulture);
        }

        var body = new ArrayBufferWriter<byte>(512);
        Encode(body, context, refusal, row, more);
        response.ContentLength = body.WrittenCount;
        await response.Body.WriteAsync(body.WrittenMemory, context.RequestAborted);
    }

    private static void Encode(ArrayBufferWriter<byte> body, HttpContext context, Refusal refusal, ErrorRow row,
        Action<Utf8JsonWriter>? more)
    {
        var clock = context.RequestServices.GetRequiredService<TimeProvider>();
        using var json = new Utf8JsonWriter(body, JsonAnswer.WriterOptions);
        json.WriteStartObject();
        json.WriteString("type", row.Type);
        json.WriteString("title", row.Title);
        json.WriteNumber("status", context.Response.StatusCode);
        json.WriteString("detail", refusal.Detail);
        json.WriteString("instance", context.Request.PathBase.Add(context.Request.Path).ToUriComponent());
        json.WriteString("code", row.WireName);
        json.WriteString("component", row.Component);
        json.WriteString("severity", row.Severity);
        json.WriteString("timestamp", clock.GetUtcNow().ToString(TimeFormat, CultureInfo.InvariantCulture));
        more?.Invoke(json);
        json.WriteEndObject();
    }
}
