using System.Globalization;
using System.Text.Json;
using OrleansEvents.Api.Http;
using OrleansEvents.Api.Problems;
using OrleansEvents.Api.Sse;
using OrleansEvents.Streams;

namespace OrleansEvents.Api.Endpoints;

/// <summary>Streams as resources, and the events of each.</summary>
internal static class StreamsEndpoints
{
    private const int SettingsBytes = 65_536;

    public static void Map(IEndpointRouteBuilder routes)
    {
        MapPublish(routes);
        var all = routes.MapGroup("/api").AddEndpointFilter<StreamNameFilter>();
        all.MapGet("/streams", List);
        all.MapGet("/streams/{stream}", Describe);
        all.MapPut("/streams/{stream}", Configure);
        all.MapDelete("/streams/{stream}", Delete);
        all.MapPost("/streams/{stream}/complete", Complete);
        all.MapGet("/streams/{stream}/events", Read);
        all.MapGet("/events", ReadMany);
        all.MapGet("/events/processes/{id}/logs", ReadProcessLogs);
        all.MapGet("/events/task-attempts/{id}/diff", ReadTaskAttemptDiff);
    }

    /// <summary>By hand, without what a filter, bound parameters and a scope make for each request.</summary>
    private static void MapPublish(IEndpointRouteBuilder routes)
    {
        var services = routes.ServiceProvider;
        routes.MapPost("/api/streams/{stream}/events", (HttpContext http) =>
                services.GetRequiredService<StreamNameFilter>().Check(http) is { } refusal
                    ? Problem.Write(http, refusal)
                    : services.GetRequiredService<PublishEndpoint>()
                        .Publish(http, (string)http.Request.RouteValues["stream"]!))
            .WithMetadata(new HeldOutput.MayHold());
    }

    private static async Task List(HttpContext http, IEventStreams streams, Operations operations)
    {
        var query = new QueryReader(http.Request.Query);
        var limit = query.Integer("limit", 1, 1000) ?? 100;
        if (query.Refusal is { } bad)
        {
            await Problem.Write(http, bad);
            return;
        }
        var page = await operations.LimitSimple(streams.List(query.Text("prefix") ?? "", query.Text("after"), limit),
            "list");
        await Answer(http, page, StatusCodes.Status200OK, StreamJson.WritePage);
    }

    private static async Task Describe(HttpContext http, string stream, IEventStreams streams, Operations operations) =>
        await Answer(http, await operations.LimitSimple(streams.Describe(stream), "describe", stream),
            StatusCodes.Status200OK, StreamJson.Write);

    private static async Task Configure(HttpContext http, string stream, IEventStreams streams, Operations operations)
    {
        var (body, tooLarge) = await RequestBody.Read(http, SettingsBytes);
        if (body is null)
        {
            await Problem.Write(http, tooLarge);
            return;
        }
        using (body)
        {
            var json = body.Bytes.Length == 0 ? "{}"u8.ToArray() : body.Bytes;
            var configured = await operations.Limit(streams.Configure(stream, json, http.RequestAborted), "configure",
                stream);
            // It may still be read.
            if (configured.Refusal is { Code: ErrorCode.Timeout }) body.Leave();
            var created = configured.Value?.Created == true;
            if (created) http.Response.Headers.Location = $"/api/streams/{stream}";
            await Answer(http, configured, created ? StatusCodes.Status201Created : StatusCodes.Status200OK,
                static (json, value) => value.Settings.WriteMembersTo(json));
        }
    }

    private static async Task Delete(HttpContext http, string stream, IEventStreams streams, Operations operations)
    {
        var deleted = await operations.Limit(streams.Delete(stream, http.RequestAborted), "delete", stream);
        if (deleted.Refusal is { } refusal) await Problem.Write(http, refusal);
        else http.Response.StatusCode = StatusCodes.Status204NoContent;
    }

    private static async Task Complete(HttpContext http, string stream, IEventStreams streams, Operations operations) =>
        await Answer(http, await operations.Limit(streams.Complete(stream, http.RequestAborted), "complete", stream),
            StatusCodes.Status200OK, StreamJson.Write);

    private static Task Read(HttpContext http, string stream, ReadEndpoint endpoint) =>
        endpoint.One(http, stream, raw: false);

    private static Task ReadMany(HttpContext http, ReadEndpoint endpoint) =>
        http.Request.Query.TryGetValue("streams", out var patterns)
            ? endpoint.Many(http, patterns.ToString())
            : endpoint.One(http, "database", raw: true);

    private static Task ReadProcessLogs(HttpContext http, string id, ReadEndpoint endpoint) =>
        ReadShort(http, string.Create(CultureInfo.InvariantCulture, $"processes.{id}.logs"), endpoint);

    private static Task ReadTaskAttemptDiff(HttpContext http, string id, ReadEndpoint endpoint) =>
        ReadShort(http, string.Create(CultureInfo.InvariantCulture, $"task-attempts.{id}.diff"), endpoint);

    private static Task ReadShort(HttpContext http, string stream, ReadEndpoint endpoint) =>
        StreamName.Check(stream) is { } bad ? Problem.Write(http, bad) : endpoint.One(http, stream, raw: true);

    private static Task Answer<T>(HttpContext http, Outcome<T> outcome, int status, Action<Utf8JsonWriter, T> write) =>
        outcome.Refusal is { } refusal
            ? Problem.Write(http, refusal)
            : JsonAnswer.Write(http, status, outcome.Value!, write);
}
