using System.Net;
using OrleansEvents.Tests.Http;
using OrleansEvents.Tests.Reading;
using Xunit;

namespace OrleansEvents.Tests.Subscribers;

/// <summary>What is owed and the line on one connection, on each way that an answer can take.</summary>
public sealed class OwedFirstTests
{
    [Theory]
    [InlineData("direct")]
    [InlineData("pipe")]
    [InlineData("http2")]
    public async Task Cut_at_every_frame_while_retries_and_new_events_flow_nothing_is_missed_or_doubled(string way)
    {
        const int Last = 60;
        await using var server = await TestServer.Start("--Sse:DirectSend", way == "direct" ? "true" : "false");
        var named = new Named(server);
        await named.Set("""{"ackWait":0.05,"backoff":[0.005],"maxAttempts":100,"maxInFlight":5}""");
        await named.Mixed(1, 12);
        var (ordinary, critical, acknowledged) = (new List<int>(), new HashSet<int>(), new HashSet<int>());
        string? id = null;
        for (var (round, published) = (0, 12); ordinary.Count < Last / 2 || acknowledged.Count < Last / 2; round++)
        {
            Assert.True(round < 400, $"{ordinary.Count} and {acknowledged.Count} in {round} connections");
            if (round % 3 == 0 && published < Last) await named.Mixed(published + 1, published += 4);
            await using var reader = await named.Read(id is null ? "after=0" : "", id, VersionOf(way));
            Assert.True(reader.Status == HttpStatusCode.OK, $"{reader.Status} in round {round}");
            var onThis = new HashSet<(int, int)>();
            for (var events = 1 + round % 5; events > 0; events--)
            {
                if (ordinary.Count == published / 2 && acknowledged.Count == published / 2) break;
                var frame = await reader.Next(each => each.IsEvent || each.Event == "gap");
                Assert.True(frame.IsEvent, $"{frame}");
                var number = frame.Number();
                Assert.True(onThis.Add((number, frame.Attempt())), $"{frame} came twice");
                Assert.DoesNotContain(number, acknowledged);
                if (number % 2 == 1)
                {
                    Assert.NotNull(frame.Id);
                    ordinary.Add(number);
                    continue;
                }
                if (frame.Attempt() > 1) Assert.Null(frame.Id);
                critical.Add(number);
                // Some are acknowledged at once, some when they have come again.
                if (number % 4 == 0 && frame.Attempt() == 1) continue;
                Assert.Equal(["acknowledged"], await named.Ack(frame.EventId()));
                acknowledged.Add(number);
            }
            id = reader.LastId ?? id;
        }
        Assert.Equal(1.To(Last).Where(i => i % 2 == 1), ordinary);
        Assert.Equal(1.To(Last).Where(i => i % 2 == 0), critical.Order());
        Assert.Equal(0, await named.Number("pending"));
        Assert.Equal(0, await named.Number("deadLetters"));
        await server.Left(0);
    }

    [Theory]
    [InlineData("direct")]
    [InlineData("pipe")]
    [InlineData("http2")]
    public async Task Owed_events_come_first_and_never_move_the_cursor_nor_do_redeliveries(string way)
    {
        await using var server = await TestServer.Start("--Sse:DirectSend", way == "direct" ? "true" : "false");
        var named = new Named(server);
        await named.Set("""{"ackWait":0.1,"backoff":[0.001],"maxAttempts":9}""");
        await named.Mixed(1, 6);
        await using var reader = await named.Read(version: VersionOf(way));
        Assert.Equal(VersionOf(way), reader.Version);
        var connected = await reader.Next("connected");
        var events = await reader.Events(6);
        Assert.Equal([2, 4, 6, 1, 3, 5], events.Numbers());
        Assert.Equal([false, false, false, true, true, true], events.Select(each => each.Id is not null));
        Assert.All(events[3..], each => Assert.Equal(each.EventId(), each.Id));
        Assert.NotEqual(connected.Id, reader.LastId);
        var position = reader.LastId;
        var again = await reader.Events(6);
        Assert.Equal([(2, 2), (2, 3), (4, 2), (4, 3), (6, 2), (6, 3)],
            again.Select(each => (each.Number(), each.Attempt())).Order());
        Assert.All(again, each => Assert.Null(each.Id));
        Assert.Equal(position, reader.LastId);
        await using var resumed = await named.Read("", position, VersionOf(way));
        await named.Ordinary(7, 7);
        Assert.Equal([7], (await Ordinary(resumed, 1)).Numbers());
    }

    [Fact]
    public async Task A_connection_from_the_head_gets_what_is_owed_of_before()
    {
        await using var server = await TestServer.Start();
        var named = new Named(server);
        await named.Mixed(1, 4);
        await using var reader = await named.Read("after=$");
        Assert.Equal(2, (await reader.Next("connected")).Json.GetProperty("pending").GetInt32());
        Assert.Equal([2, 4], (await reader.Before(server, 5)).Numbers());
    }

    [Fact]
    public async Task A_completed_stream_ends_only_when_nothing_more_is_to_come_and_stops_who_has_it_all()
    {
        await using var server = await TestServer.Start();
        var named = new Named(server);
        await named.Set("""{"ackWait":60,"backoff":[0.2],"maxAttempts":9}""");
        await named.Mixed(1, 2);
        await using var reader = await named.Read();
        var owed = await reader.Next(2);
        await reader.Next(1);
        await named.Nack(owed.EventId());
        (await server.Post("/api/streams/s/complete")).Must(HttpStatusCode.OK);
        // It waits for its redelivery before it ends.
        var rest = await reader.Rest();
        Assert.Equal([2], rest.Where(frame => frame.IsEvent).Select(frame => frame.Attempt()));
        Assert.Equal("completed", rest[^1].Text("reason"));
        await using var again = await named.Read("", reader.LastId);
        Assert.Equal(3, (await again.Next(frame => frame.IsEvent)).Attempt());
        Assert.Equal(["acknowledged"], await named.Ack(owed.EventId()));
        Assert.Equal("end", (await again.Rest())[^1].Event);
        await using var done = await named.Read("", reader.LastId);
        Assert.Equal(HttpStatusCode.NoContent, done.Status);
        Assert.True((await named.Poll($"after={reader.LastId}")).GetProperty("completed").GetBoolean());
    }

    [Fact]
    public async Task A_deleted_stream_ends_its_subscribers_connections_and_takes_them_with_it()
    {
        await using var server = await TestServer.StartOnDisk();
        var named = new Named(server);
        await named.Set("""{"maxAttempts":1,"ackWait":0.05}""");
        await named.Critical(1, 1);
        await using var reader = await named.Read();
        await reader.Next(1);
        await named.Dead(1);
        (await server.Delete("/api/streams/s")).Must(HttpStatusCode.NoContent);
        Assert.Equal("deleted", (await reader.Rest())[^1].Text("reason"));
        await using var gone = await named.Read("", reader.LastId);
        Assert.Equal(HttpStatusCode.NoContent, gone.Status);
        (await server.Get(named.Path)).MustRefuse(404, "NOT_FOUND");
        (await server.Post($"{named.Path}/ack", """{"ids":["x"]}""")).MustRefuse(404, "NOT_FOUND");
        await server.Restart();
        await named.Critical(2, 2);
        (await server.Get(named.Path)).MustRefuse(404, "NOT_FOUND");
        await using var again = await named.Read("", reader.LastId);
        Assert.Equal("reset", (await again.Next("gap")).Text("reason"));
        await again.Next(2);
        Assert.Equal([], (await named.DeadLetters()).NumbersOf());
    }

    [Fact]
    public async Task Reading_a_stream_that_is_not_there_registers_and_waits_for_its_events()
    {
        await using var server = await TestServer.Start();
        var named = new Named(server);
        await using var reader = await named.Read();
        Assert.Equal(0, (await reader.Next("connected")).Json.GetProperty("pending").GetInt32());
        await named.Critical(1, 1);
        Assert.NotNull((await reader.Next(1)).Id);
        Assert.Equal([1], (await named.Pending()).NumbersOf());
    }

    private static async Task<List<SseFrame>> Ordinary(SseReader reader, int count)
    {
        var ordinary = new List<SseFrame>();
        while (ordinary.Count < count)
            if ((await reader.Next(frame => frame.IsEvent)) is var frame && frame.Number() % 2 == 1)
                ordinary.Add(frame);
        return ordinary;
    }

    private static Version VersionOf(string way) =>
        way == "http2" ? HttpVersion.Version20 : HttpVersion.Version11;
}
