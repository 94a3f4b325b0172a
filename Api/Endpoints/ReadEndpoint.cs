using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;
using Microsoft.Net.Http.Headers;
using OrleansEvents.Api.Http;
using OrleansEvents.Api.Metrics;
using OrleansEvents.Api.Options;
using OrleansEvents.Api.Problems;
using OrleansEvents.Api.Sse;
using OrleansEvents.Streams;

namespace OrleansEvents.Api.Endpoints;

/// <summary>Reading by SSE or by polling, of one stream or of many: the same positions, whichever way.</summary>
internal sealed class ReadEndpoint(IEventStreams streams, ConnectionTable connections, SseOptions sse,
    LimitsOptions limits, OpenConnections open, Operations operations, TimeProvider time)
{
    public Task One(HttpContext http, string stream, bool raw) =>
        StreamPattern.TryParse(stream, out var pattern, out var refusal)
            ? Read(http, [pattern], isMany: false, raw)
            : Problem.Write(http, refusal);

    public Task Many(HttpContext http, string patterns) =>
        StreamPattern.TryParseList(patterns, out var parsed, out var refusal)
            ? Read(http, parsed, isMany: true, raw: false)
            : Problem.Write(http, refusal);

    private async Task Read(HttpContext http, IReadOnlyList<StreamPattern> patterns, bool isMany, bool raw)
    {
        if (AsSse(http.Request) is not { } asSse)
        {
            await Problem.Write(http, new Refusal(ErrorCode.InvalidInput,
                "Accept: text/event-stream or application/json."), StatusCodes.Status406NotAcceptable);
            return;
        }
        var request = ReadRequest.Parse(http, patterns, isMany, raw, sse, connections.BegunMs, out var refusal);
        if (request is null)
        {
            await Problem.Write(http, refusal);
            return;
        }
        SetHeaders(http, asSse);
        if (HttpMethods.IsHead(http.Request.Method)) return;
        using var reading = new Reading(streams, operations, request,
            asSse ? SessionKind.Connection : SessionKind.Poll);
        if (await reading.Open() is { } refused)
        {
            http.Response.Headers.Remove(HeaderNames.Vary);
            await Problem.Write(http, refused);
            return;
        }
        if (reading.IsGone || asSse && reading.IsAtItsEnd)
        {
            http.Response.StatusCode = StatusCodes.Status204NoContent;
            http.Response.ContentType = null;
            return;
        }
        if (asSse) await Stream(http, request, reading);
        else await Poll(http, request, reading);
    }

    /// <summary>Serves the reader; returns at once where the response goes on without the request.</summary>
    private Task Stream(HttpContext http, ReadRequest request, Reading reading)
    {
        // A reader that is slow is our matter, not the server's.
        if (http.Features.Get<IHttpMinResponseDataRateFeature>() is { } rate) rate.MinDataRate = null;
        var output = (sse.DirectSend ? SocketOutput.TryTake(http, open) : null) ?? (SseOutput)new PipeOutput(http);
        var connection = new SseConnection(connections, request, http, output, reading.TakeSubscriber());
        var lines = reading.TakeLeases()
            .Select(lease => connection.LineOf(lease, request.FromOf(lease.Feed.Stream))).ToList();
        if (!output.OutlivesRequest) return connection.Run(lines, reading.TakePatterns());
        // So that nothing of the request is held.
        using (ExecutionContext.SuppressFlow()) _ = connection.Run(lines, reading.TakePatterns());
        return Task.CompletedTask;
    }

    private async Task Poll(HttpContext http, ReadRequest request, Reading reading)
    {
        var poll = new PollAnswer(streams, request, reading.Subscriber, limits.PositionBytes, time, operations);
        using var stopping = CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted, connections.Draining);
        Outcome<ReadOnlyMemory<byte>> made;
        try
        {
            made = await poll.Make(reading.Leases, stopping.Token);
        }
        catch (OperationCanceledException) when (!http.RequestAborted.IsCancellationRequested)
        {
            await Problem.Write(http, ErrorCode.ServerShutdown, "The server is stopping; come back.");
            return;
        }
        if (made.Refusal is { } refusal)
        {
            http.Response.Headers.Remove(HeaderNames.Vary);
            await Problem.Write(http, refusal);
            return;
        }
        var (page, meter) = (made.Value, connections.Meter);
        foreach (var reason in poll.Gaps) meter.GapsTold.One("reason", GapJson.NameOf(reason));
        meter.DeliveredEvents.Add(1, poll.Count);
        meter.DeliveredBytes.Add(1, page.Length);
        poll.GoingOut();
        await JsonAnswer.Write(http, StatusCodes.Status200OK, page.Span);
        poll.Sent();
    }

    private static void SetHeaders(HttpContext http, bool asSse)
    {
        var headers = http.Response.Headers;
        headers.CacheControl = "no-store, no-transform";
        headers.Vary = "Accept";
        headers["X-Accel-Buffering"] = "no";
        http.Response.ContentType = asSse ? "text/event-stream" : "application/json";
    }

    /// <summary>True for SSE, false for a poll, null when the client takes neither.</summary>
    private static bool? AsSse(HttpRequest request)
    {
        var accept = request.GetTypedHeaders().Accept;
        if (accept.Count == 0) return request.Headers.Accept.Count == 0 ? false : null;
        double QualityOf(string type) => accept.Where(each => each.MediaType.Equals(type,
            StringComparison.OrdinalIgnoreCase))
            .Select(each => each.Quality ?? 1).DefaultIfEmpty(-1).Max();
        var json = new[] { QualityOf("application/json"), QualityOf("application/*"), QualityOf("*/*") }.Max();
        var stream = Math.Max(QualityOf("text/event-stream"), QualityOf("text/*"));
        if (stream > 0 && stream >= json) return true;
        return json > 0 ? false : null;
    }
}
