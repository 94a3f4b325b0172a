using System.Text.Json;
using OrleansEvents.Api.Http;
using OrleansEvents.Api.Problems;
using OrleansEvents.Api.Sse;
using OrleansEvents.Streams;

namespace OrleansEvents.Api.Endpoints;

/// <summary>What operators look at over all streams that are open.</summary>
internal static class AdminEndpoints
{
    private const int MostListed = 10_000;

    public static void Map(IEndpointRouteBuilder routes)
    {
        var all = routes.MapGroup("/api/admin");
        all.MapGet("/retries", Retries);
        all.MapGet("/dead-letters", DeadLetters);
        all.MapGet("/nodes", ClusterAdmin.Nodes);
        all.MapGet("/streams", ClusterAdmin.Streams);
    }

    private static async Task Retries(HttpContext http, IEventStreams streams) =>
        await Write(http, await streams.OpenSubscribers(), static _ => true, static (json, all) =>
        {
            json.WriteStartObject("totals");
            json.WriteNumber("pending", all.Sum(each => (long)each.Subscriber.Pending));
            json.WriteNumber("inFlight", all.Sum(each => (long)each.Subscriber.InFlight));
            SubscriberJson.WriteStatistics(json,
                all.Aggregate(default(SubscriberCounts), static (sum, each) => sum + each.Subscriber.Counts),
                all.Sum(each => (long)each.Subscriber.Retrying));
            json.WriteEndObject();
        }, static (json, subscriber) =>
        {
            json.WriteNumber("pending", subscriber.Pending);
            json.WriteNumber("inFlight", subscriber.InFlight);
            SubscriberJson.WriteStatistics(json, subscriber.Counts, subscriber.Retrying);
        });

    private static async Task DeadLetters(HttpContext http, IEventStreams streams) =>
        await Write(http, await streams.OpenSubscribers(),
            static each => each.Subscriber is { DeadLetters: > 0 } or { Expired: not null },
            static (json, all) => json.WriteNumber("count", all.Sum(each => (long)each.Subscriber.DeadLetters)),
            static (json, subscriber) =>
            {
                json.WriteNumber("count", subscriber.DeadLetters);
                if (subscriber.Expired is { } expired) SubscriberJson.WriteExpired(json, expired);
            });

    private static async Task Write(HttpContext http, Outcome<IReadOnlyList<OpenSubscriber>> open,
        Func<OpenSubscriber, bool> isMeant, Action<Utf8JsonWriter, IReadOnlyList<OpenSubscriber>> writeTotals,
        Action<Utf8JsonWriter, SubscriberDescription> write)
    {
        var query = new QueryReader(http.Request.Query);
        var limit = query.Integer("limit", 1, MostListed) ?? 1000;
        if ((query.Refusal ?? open.Refusal) is { } bad)
        {
            await Problem.Write(http, bad);
            return;
        }
        var all = open.Value!.Where(isMeant).ToList();
        await JsonAnswer.Write(http, StatusCodes.Status200OK, all, (json, subscribers) =>
        {
            writeTotals(json, subscribers);
            json.WriteStartArray("subscribers");
            foreach (var (stream, subscriber) in subscribers.Take(limit))
            {
                json.WriteStartObject();
                json.WriteString("stream", stream);
                json.WriteString("subscriber", subscriber.Name);
                write(json, subscriber);
                json.WriteEndObject();
            }
            json.WriteEndArray();
            json.WriteBoolean("more", subscribers.Count > limit);
        });
    }
}
