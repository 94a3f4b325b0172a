using System.Buffers;
using System.Text.Json;
using OrleansEvents.Api.Http;
using OrleansEvents.Api.Problems;
using OrleansEvents.Api.Sse;
using OrleansEvents.Streams;

namespace OrleansEvents.Api.Endpoints;

/// <summary>A stream's named subscribers: what they acknowledge, and what they are owed.</summary>
internal static class SubscribersEndpoints
{
    private const int AckBytes = 1 << 20;

    public static void Map(IEndpointRouteBuilder routes)
    {
        var all = routes.MapGroup("/api/streams/{stream}/subscribers").AddEndpointFilter<StreamNameFilter>();
        all.MapGet("", List);
        all.MapGet("/{subscriber}", Describe);
        all.MapDelete("/{subscriber}", Remove);
        var one = all.MapGroup("/{subscriber}");
        one.MapPost("/ack", Acknowledge);
        one.MapGet("/pending", Pending);
    }

    private static async Task List(HttpContext http, string stream, IEventStreams streams, Operations operations)
    {
        var listed = await operations.LimitSimple(streams.Subscribers(stream), "list_subscribers", stream);
        if (listed.Refusal is { } refusal) await Problem.Write(http, refusal);
        else await JsonAnswer.Write(http, StatusCodes.Status200OK, listed.Value!, StreamJson.WriteSubscribers);
    }

    private static async Task Describe(HttpContext http, string stream, string subscriber, IEventStreams streams,
        Operations operations)
    {
        var described = await operations.LimitSimple(streams.DescribeSubscriber(stream, subscriber),
            "describe_subscriber", stream);
        if (described.Refusal is { } refusal) await Problem.Write(http, refusal);
        else await JsonAnswer.Write(http, StatusCodes.Status200OK, described.Value!, StreamJson.WriteSubscriber);
    }

    private static async Task Remove(HttpContext http, string stream, string subscriber, IEventStreams streams,
        Operations operations)
    {
        var removed = await operations.Limit(streams.RemoveSubscriber(stream, subscriber, http.RequestAborted),
            "remove_subscriber", stream);
        if (removed.Refusal is { } refusal) await Problem.Write(http, refusal);
        else http.Response.StatusCode = StatusCodes.Status204NoContent;
    }

    private static async Task Acknowledge(HttpContext http, string stream, string subscriber, IEventStreams streams,
        Operations operations)
    {
        var (body, refusal) = await RequestBody.Read(http, AckBytes);
        if (body is null)
        {
            await Problem.Write(http, refusal);
            return;
        }
        using (body)
        {
            if (AckBody.Parse(body.Bytes, out var invalid) is not { } request)
            {
                await Problem.Write(http, invalid);
                return;
            }
            var done = await operations.Limit(streams.Acknowledge(stream, subscriber, request, http.RequestAborted),
                "acknowledge", stream);
            if (done.Refusal is { } refused) await Problem.Write(http, refused);
            else await JsonAnswer.Write(http, StatusCodes.Status200OK, done.Value!, WriteResults);
        }
    }

    private static async Task Pending(HttpContext http, string stream, string subscriber, IEventStreams streams,
        Operations operations)
    {
        var query = new QueryReader(http.Request.Query);
        var limit = query.Integer("limit", 1, 1000) ?? 100;
        var after = query.Text("after") is { } text and not "0" ? CursorOf(text, query) : 0;
        if (query.Refusal is { } bad)
        {
            await Problem.Write(http, bad);
            return;
        }
        var pending = await operations.LimitSimple(streams.Pending(stream, subscriber, after, limit), "pending",
            stream);
        if (pending.Refusal is { } refusal)
        {
            await Problem.Write(http, refusal);
            return;
        }
        using var events = pending.Value!.Events;
        await JsonAnswer.Write(http, StatusCodes.Status200OK, PageOf(pending.Value));
    }

    private static long CursorOf(string text, QueryReader query)
    {
        if (Cursor.TryParse(text, out var cursor)) return cursor.Seq;
        query.Refuse("after: not a cursor");
        return 0;
    }

    private static ReadOnlyMemory<byte> PageOf(PendingPage page)
    {
        var output = new ArrayBufferWriter<byte>(1024);
        output.Write("{\"events\":["u8);
        for (var i = 0; i < page.Events.Count; i++)
        {
            if (i > 0) output.Write(","u8);
            // Shown with the attempt that comes next.
            var slot = page.Events.Slots[i];
            EventShape.WriteJson(output, page.Events.FrameOf(slot), slot, page.Attempts[i] + 1);
        }
        output.Write("],\"cursor\":\""u8);
        Span<byte> cursor = stackalloc byte[Cursor.TextLength];
        page.Cursor.Format(cursor);
        output.Write(cursor);
        output.Write(page.More ? "\",\"more\":true}"u8 : "\",\"more\":false}"u8);
        return output.WrittenMemory;
    }

    private static void WriteResults(Utf8JsonWriter json, IReadOnlyList<Acknowledged> results)
    {
        json.WriteStartArray("results");
        foreach (var (id, result) in results)
        {
            json.WriteStartObject();
            json.WriteString("id", id);
            json.WriteString("result", result switch
            {
                AckResult.Acknowledged => "acknowledged",
                AckResult.Already => "already",
                _ => "unknown",
            });
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }
}
