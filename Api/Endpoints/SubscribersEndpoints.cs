using System.Text.Json;
using OrleansEvents.Api.Http;
using OrleansEvents.Api.Options;
using OrleansEvents.Api.Problems;
using OrleansEvents.Api.Sse;
using OrleansEvents.Api.Webhooks;
using OrleansEvents.Streams;

namespace OrleansEvents.Api.Endpoints;

/// <summary>A stream's named subscribers: their policies, what they acknowledge, what they are owed and what was
/// parked.</summary>
internal static class SubscribersEndpoints
{
    private const int BodyBytes = 1 << 20;

    private delegate bool Parse<T>(ReadOnlyMemory<byte> body, out T? request, out Refusal invalid);

    public static void Map(IEndpointRouteBuilder routes)
    {
        var all = routes.MapGroup("/api/streams/{stream}/subscribers").AddEndpointFilter<StreamNameFilter>();
        all.MapGet("", List);
        all.MapPut("/{subscriber}", Configure);
        all.MapGet("/{subscriber}", Describe);
        all.MapDelete("/{subscriber}", Remove);
        var one = all.MapGroup("/{subscriber}");
        one.MapPost("/ack", Acknowledge);
        one.MapPost("/nack", Nack);
        one.MapGet("/pending", Pending);
        one.MapGet("/dead-letters", DeadLetters);
        one.MapPost("/dead-letters/replay", Replay);
        one.MapDelete("/dead-letters", Purge);
    }

    private static async Task List(HttpContext http, string stream, IEventStreams streams, Operations operations) =>
        await Answer(http, await operations.LimitSimple(streams.Subscribers(stream), "list_subscribers", stream),
            SubscriberJson.WriteAll);

    private static async Task Configure(HttpContext http, string stream, string subscriber, IEventStreams streams,
        Operations operations, WebhooksOptions webhooks)
    {
        var (body, tooLarge) = await RequestBody.Read(http, BodyBytes);
        if (body is null)
        {
            await Problem.Write(http, tooLarge);
            return;
        }
        using (body)
        {
            var json = body.Bytes.Length == 0 ? "{}"u8.ToArray() : body.Bytes;
            if (WebhookTarget.Check(json, webhooks) is { } refusal)
            {
                await Problem.Write(http, refusal);
                return;
            }
            var configured = await operations.Limit(streams.ConfigureSubscriber(stream, subscriber, json,
                http.RequestAborted), "configure_subscriber", stream);
            var created = configured.Value?.Created == true;
            if (created) http.Response.Headers.Location = $"/api/streams/{stream}/subscribers/{subscriber}";
            await Answer(http, configured, static (json, value) => SubscriberJson.Write(json, value.Subscriber),
                created ? StatusCodes.Status201Created : StatusCodes.Status200OK);
        }
    }

    private static async Task Describe(HttpContext http, string stream, string subscriber, IEventStreams streams,
        Operations operations) => await Answer(http,
        await operations.LimitSimple(streams.DescribeSubscriber(stream, subscriber), "describe_subscriber", stream),
        SubscriberJson.Write);

    private static async Task Remove(HttpContext http, string stream, string subscriber, IEventStreams streams,
        Operations operations)
    {
        var removed = await operations.Limit(streams.RemoveSubscriber(stream, subscriber, http.RequestAborted),
            "remove_subscriber", stream);
        if (removed.Refusal is { } refusal) await Problem.Write(http, refusal);
        else http.Response.StatusCode = StatusCodes.Status204NoContent;
    }

    private static Task Acknowledge(HttpContext http, string stream, string subscriber, IEventStreams streams,
        Operations operations) => WithBody<AckRequest, IReadOnlyList<Acknowledged>>(http, SubscriberBody.TryParseAck,
        request => operations.Limit(streams.Acknowledge(stream, subscriber, request, http.RequestAborted),
            "acknowledge", stream),
        (json, results) =>
        {
            if (!PrefersMinimal(http.Request))
            {
                SubscriberJson.WriteAcknowledged(json, results);
                return;
            }
            http.Response.Headers["Preference-Applied"] = Minimal;
            SubscriberJson.WriteAcknowledgedCounts(json, results);
        });

    private const string Minimal = "return=minimal";

    /// <summary>Whether the client does without what became of each id (RFC 7240).</summary>
    private static bool PrefersMinimal(HttpRequest request) => request.Headers["Prefer"]
        .Any(line => line!.Split([',', ';'], StringSplitOptions.TrimEntries)
            .Contains(Minimal, StringComparer.OrdinalIgnoreCase));

    private static Task Nack(HttpContext http, string stream, string subscriber, IEventStreams streams,
        Operations operations) => WithBody<NackRequest, IReadOnlyList<NotAcknowledged>>(http,
        SubscriberBody.TryParseNack,
        request => operations.Limit(streams.Nack(stream, subscriber, request, http.RequestAborted), "nack", stream),
        SubscriberJson.WriteNotAcknowledged);

    private static Task Pending(HttpContext http, string stream, string subscriber, IEventStreams streams,
        Operations operations) => Page(http, (after, limit) =>
        operations.LimitSimple(streams.Pending(stream, subscriber, after, limit), "pending", stream));

    private static Task DeadLetters(HttpContext http, string stream, string subscriber, IEventStreams streams,
        Operations operations) => Page(http, (after, limit) =>
        operations.LimitSimple(streams.DeadLetters(stream, subscriber, after, limit), "dead_letters", stream));

    private static Task Replay(HttpContext http, string stream, string subscriber, IEventStreams streams,
        Operations operations) => WithBody<ReplayRequest, int>(http, SubscriberBody.TryParseReplay,
        request => operations.Limit(streams.ReplayDeadLetters(stream, subscriber, request.Ids, http.RequestAborted),
            "replay_dead_letters", stream),
        static (json, count) => json.WriteNumber("replayed", count));

    private static async Task Purge(HttpContext http, string stream, string subscriber, IEventStreams streams,
        Operations operations) => await Answer(http,
        await operations.Limit(streams.PurgeDeadLetters(stream, subscriber, http.RequestAborted), "purge_dead_letters",
            stream),
        static (json, count) => json.WriteNumber("purged", count));

    private static async Task WithBody<TRequest, T>(HttpContext http, Parse<TRequest> parse,
        Func<TRequest, ValueTask<Outcome<T>>> act, Action<Utf8JsonWriter, T> write)
    {
        var (body, tooLarge) = await RequestBody.Read(http, BodyBytes);
        if (body is null)
        {
            await Problem.Write(http, tooLarge);
            return;
        }
        using (body)
        {
            if (parse(body.Bytes, out var request, out var invalid)) await Answer(http, await act(request!), write);
            else await Problem.Write(http, invalid);
        }
    }

    private static async Task Page(HttpContext http, Func<long, int, ValueTask<Outcome<SubscriberPage>>> read)
    {
        var query = new QueryReader(http.Request.Query);
        var limit = query.Integer("limit", 1, 1000) ?? 100;
        var after = query.Text("after") is { } text and not "0" ? CursorOf(text, query) : 0;
        if (query.Refusal is { } bad)
        {
            await Problem.Write(http, bad);
            return;
        }
        var page = await read(after, limit);
        if (page.Refusal is { } refusal)
        {
            await Problem.Write(http, refusal);
            return;
        }
        using var events = page.Value!.Events;
        await JsonAnswer.Write(http, StatusCodes.Status200OK, SubscriberJson.PageOf(page.Value).Span);
    }

    private static long CursorOf(string text, QueryReader query)
    {
        if (Cursor.TryParse(text, out var cursor)) return cursor.Seq;
        query.Refuse("after: not a cursor");
        return 0;
    }

    private static Task Answer<T>(HttpContext http, Outcome<T> outcome, Action<Utf8JsonWriter, T> write,
        int status = StatusCodes.Status200OK) => outcome.Refusal is { } refusal
        ? Problem.Write(http, refusal)
        : JsonAnswer.Write(http, status, outcome.Value!, write);
}
