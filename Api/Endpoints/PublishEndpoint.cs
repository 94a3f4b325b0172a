using System.Diagnostics.CodeAnalysis;
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
internal sealed partial class PublishEndpoint(IEventStreams streams, LimitsOptions limits, RequestMemory memory,
    Operations operations, ServerMeter meter, TimeProvider time, ILogger<PublishEndpoint> logger)
{
    private readonly PublishLimits _limits = new(limits.RequestEvents, limits.EventBytes);

    public async Task Publish(HttpContext http, string stream)
    {
        using var span = Spans.Publish(http.Request, stream);
        var form = FormOf(http.Request);
        var isBinary = IsBinaryCloudEvent(http.Request);
        if (form is null && !isBinary)
        {
            await Problem.Write(http, new Refusal(ErrorCode.InvalidInput, "Content-Type: application/json, "
                + "application/x-ndjson, application/cloudevents+json or application/cloudevents-batch+json, in UTF-8, "
                + "or a CloudEvent's data beside its ce- headers; without Content-Encoding."),
                StatusCodes.Status415UnsupportedMediaType);
            return;
        }
        var (body, tooLarge) = await RequestBody.Read(http, limits.RequestBytes, memory);
        if (body is null)
        {
            await Problem.Write(http, tooLarge);
            return;
        }
        using (body)
        {
            if (!TryParse(http.Request, isBinary ? null : form, body.Bytes, out var parsed, out var refusal))
            {
                await Problem.Write(http, refusal);
                return;
            }
            using (parsed) await Publish(http, stream, parsed, body);
        }
    }

    private bool TryParse(HttpRequest request, PublishForm? form, Memory<byte> body,
        [NotNullWhen(true)] out PublishBody? parsed, out Refusal refusal) => form is { } text
        ? PublishBody.TryParse(body, text, _limits, out parsed, out refusal)
        : PublishBody.TryParseBinary(Attributes(request), request.ContentType, body, _limits, out parsed, out refusal);

    private async Task Publish(HttpContext http, string stream, PublishBody parsed, RequestBody body)
    {
        if (http.Request.Headers.TryGetValue("Idempotency-Key", out var key)
            && parsed.WithIdempotencyKey(key.ToString()) is { } badKey)
        {
            await Problem.Write(http, badKey);
            return;
        }
        if (http.Request.Headers.TraceParent is [{ } trace]) parsed.WithTraceParent(trace);
        var query = new QueryReader(http.Request.Query);
        var each = query.Flag("events") ? new List<PublishedEvent>(parsed.Events.Length) : null;
        if (query.Refusal is { } badQuery)
        {
            await Problem.Write(http, badQuery);
            return;
        }
        var began = time.GetTimestamp();
        // Not bound to the request: a client that leaves must not make void what is being written.
        var publishing = streams.Publish(stream, parsed.Events, each, CancellationToken.None);
        var answers = HeldOutput.Of(http);
        if (!publishing.IsCompleted) answers?.Release();
        var published = await operations.Limit(publishing, "publish", stream);
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
        answers?.Hold();
        await JsonAnswer.Write(http, StatusCodes.Status201Created, (stream, published.Value, each), WriteAnswer);
    }

    /// <summary>The body's form; null when it is none of ours. A form that a page of another origin could send
    /// without asking first (none named, form data, plain text) is not.</summary>
    private static PublishForm? FormOf(HttpRequest request)
    {
        if (request.Headers.ContentEncoding.Count > 0) return null;
        if (request.ContentType is not { Length: > 0 } text)
            return request.Headers.Origin.Count == 0 ? PublishForm.Json : null;
        // What most say needs no parsing.
        if (text == "application/json") return PublishForm.Json;
        if (text == "application/x-ndjson") return PublishForm.Ndjson;
        if (!MediaTypeHeaderValue.TryParse(text, out var type)) return null;
        if (type.Charset.HasValue && !type.Charset.Value.AsSpan().Trim('"').Equals("utf-8",
            StringComparison.OrdinalIgnoreCase))
            return null;
        return type.MediaType.Value?.ToLowerInvariant() switch
        {
            "application/json" => PublishForm.Json,
            "application/cloudevents+json" => PublishForm.CloudEvent,
            "application/cloudevents-batch+json" => PublishForm.CloudEvents,
            "application/x-ndjson" or "application/ndjson" or "application/jsonl" => PublishForm.Ndjson,
            _ => null,
        };
    }

    /// <summary>Whether the headers have any of a CloudEvent's required attributes. What the body names itself comes
    /// first: a CloudEvent in JSON may have the headers too.</summary>
    private static bool IsBinaryCloudEvent(HttpRequest request)
    {
        var headers = request.Headers;
        return (headers.ContainsKey("ce-specversion") || headers.ContainsKey("ce-id")
            || headers.ContainsKey("ce-source") || headers.ContainsKey("ce-type"))
            && headers.ContentEncoding.Count == 0
            && request.ContentType?.TrimStart().StartsWith("application/cloudevents",
                StringComparison.OrdinalIgnoreCase) != true;
    }

    private static IEnumerable<KeyValuePair<string, string>> Attributes(HttpRequest request)
    {
        foreach (var (name, values) in request.Headers)
        {
            if (!name.StartsWith("ce-", StringComparison.OrdinalIgnoreCase)) continue;
            foreach (var value in values) yield return new(name[3..], value ?? "");
        }
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
