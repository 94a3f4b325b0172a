using System.Text.Json;
using Microsoft.Net.Http.Headers;
using OrleansEvents.Api.Http;
using OrleansEvents.Api.Metrics;
using OrleansEvents.Api.Options;
using OrleansEvents.Api.Problems;
using OrleansEvents.Api.Sse;
using OrleansEvents.Streams;

namespace OrleansEvents.Api.Endpoints;

/// <summary>Publishing: form and limits are checked on the raw bytes, then the stream's owner has them.</summary>
internal sealed partial class PublishEndpoint(IEventStreams streams, LimitsOptions limits, Operations operations,
    ServerMeter meter, TimeProvider time, ILogger<PublishEndpoint> logger)
{
    private readonly PublishLimits _limits = new(limits.RequestEvents, limits.EventBytes);

    public async Task Publish(HttpContext http, string stream)
    {
        using var span = Spans.Publish(http.Request, stream);
        if (FormOf(http.Request) is not { } form)
        {
            await Problem.Write(http, new Refusal(ErrorCode.InvalidInput,
                "Content-Type: application/json or application/x-ndjson, in UTF-8, without Content-Encoding."),
                StatusCodes.Status415UnsupportedMediaType);
            return;
        }
        var (body, tooLarge) = await RequestBody.Read(http, limits.RequestBytes);
        if (body is null)
        {
            await Problem.Write(http, tooLarge);
            return;
        }
        using (body)
        {
            if (!PublishBody.TryParse(body.Bytes, form, _limits, out var parsed, out var refusal))
            {
                await Problem.Write(http, refusal);
                return;
            }
            using (parsed) await Publish(http, stream, parsed, body);
        }
    }

    private async Task Publish(HttpContext http, string stream, PublishBody parsed, RequestBody body)
    {
        if (http.Request.Headers.TryGetValue("Idempotency-Key", out var key)
            && parsed.WithIdempotencyKey(key.ToString()) is { } badKey)
        {
            await Problem.Write(http, badKey);
            return;
        }
        var query = new QueryReader(http.Request.Query);
        var each = query.Flag("events") ? new List<PublishedEvent>(parsed.Events.Length) : null;
        if (query.Refusal is { } badQuery)
        {
            await Problem.Write(http, badQuery);
            return;
        }
        var began = time.GetTimestamp();
        // Not bound to the request: a client that leaves must not make void what is being written.
        var published = await operations.Limit(streams.Publish(stream, parsed.Events, each, CancellationToken.None),
            "publish", stream);
        meter.Publish(published, parsed.Events.Span, time.GetElapsedTime(began));
        if (published.Refusal is { } refusal)
        {
            if (refusal.Code == ErrorCode.Timeout)
            {
                // They may still be read.
                parsed.Leave();
                body.Leave();
            }
            Refused(logger, stream, refusal.Code, refusal.Detail);
            await Problem.Write(http, refusal);
            return;
        }
        if (logger.IsEnabled(LogLevel.Debug))
            Appended(logger, stream, published.Value.Count, published.Value.First.Seq, published.Value.Last.Seq,
                published.Value.Last, published.Value.Durable);
        await JsonAnswer.Write(http, StatusCodes.Status201Created, (stream, published.Value, each), WriteAnswer);
    }

    /// <summary>The body's form; null when it is none of ours. A form that a page of another origin could send
    /// without asking first (none named, form data, plain text) is not.</summary>
    private static PublishForm? FormOf(HttpRequest request)
    {
        if (request.Headers.ContentEncoding.Count > 0) return null;
        if (request.ContentType is not { Length: > 0 } text)
            return request.Headers.Origin.Count == 0 ? PublishForm.Json : null;
        if (!MediaTypeHeaderValue.TryParse(text, out var type)) return null;
        if (type.Charset.HasValue && !type.Charset.Value.AsSpan().Trim('"').Equals("utf-8",
            StringComparison.OrdinalIgnoreCase))
            return null;
        return type.MediaType.Value?.ToLowerInvariant() switch
        {
            "application/json" => PublishForm.Json,
            "application/x-ndjson" or "application/ndjson" or "application/jsonl" => PublishForm.Ndjson,
            _ => null,
        };
    }

    private static void WriteAnswer(Utf8JsonWriter json, (string Stream, Published Published,
        List<PublishedEvent>? Each) answer)
    {
        var published = answer.Published;
        json.WriteString("stream", answer.Stream);
        json.WriteNumber("first", published.First.Seq);
        json.WriteNumber("last", published.Last.Seq);
        json.WriteString("cursor", published.Last.ToString());
        json.WriteNumber("count", published.Count);
        json.WriteNumber("duplicates", published.Duplicates);
        json.WriteBoolean("durable", published.Durable);
        if (answer.Each is null) return;
        json.WriteStartArray("events");
        foreach (var @event in answer.Each)
        {
            json.WriteStartObject();
            json.WriteString("id", @event.Id.ToString());
            json.WriteNumber("seq", @event.Id.Seq);
            json.WriteBoolean("duplicate", @event.Duplicate);
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }

    [LoggerMessage(EventIds.Published, LogLevel.Debug,
        "Stream {Stream}: {Count} events appended, seq {First} to {Last}, id {Id} (durable: {Durable})")]
    private static partial void Appended(ILogger logger, string stream, int count, long first, long last, Cursor id,
        bool durable);

    [LoggerMessage(EventIds.PublishRefused, LogLevel.Debug, "Stream {Stream}: publishing refused, {Code}: {Detail}")]
    private static partial void Refused(ILogger logger, string stream, ErrorCode code, string detail);
}
