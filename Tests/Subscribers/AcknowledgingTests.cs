using System.Net;
using OrleansEvents.Tests.Http;
using OrleansEvents.Tests.Reading;
using Xunit;

namespace OrleansEvents.Tests.Subscribers;

public sealed class AcknowledgingTests
{
    [Fact]
    public async Task Each_id_is_answered_for_and_the_same_again_changes_nothing()
    {
        await using var server = await TestServer.StartOnDisk();
        var named = new Named(server);
        await named.Critical(1, 3);
        await named.Ordinary(4, 4);
        var ids = (await named.Poll()).IdsOf();
        Assert.Equal(["acknowledged", "unknown", "acknowledged", "unknown"],
            await named.Ack(ids[0], ids[3], ids[2], "x"));
        for (var start = 0; start < 2; start++)
        {
            Assert.Equal(["already", "already"], await named.Ack(ids[0], ids[2]));
            Assert.Equal([2], (await named.Pending()).NumbersOf());
            await server.Restart();
        }
        Assert.Equal(2, await named.Statistic("succeeded"));
    }

    [Fact]
    public async Task What_was_not_delivered_yet_may_be_acknowledged_by_its_id_but_not_by_a_cursor()
    {
        await using var server = await TestServer.Start();
        var named = new Named(server);
        await named.Set("""{"maxInFlight":2}""");
        await named.Critical(1, 4);
        var ids = (await named.Pending()).IdsOf();
        await named.Poll();
        Assert.Equal(["acknowledged", "acknowledged"], await named.AckUpTo(ids[3]));
        Assert.Equal([3, 4], (await named.Pending()).NumbersOf());
        Assert.Empty(await named.AckUpTo(ids[3]));
        Assert.Equal(["acknowledged"], await named.Ack(ids[2]));
        Assert.Equal([4], (await named.Pending()).NumbersOf());
    }

    [Fact]
    public async Task Many_acknowledged_behind_one_that_is_not_stay_so_over_a_restart()
    {
        await using var server = await TestServer.StartOnDisk();
        var named = new Named(server);
        await named.Critical(1, 200);
        var ids = (await named.Poll("limit=1000")).IdsOf();
        Assert.All(await named.Ack(ids.Skip(1)), result => Assert.Equal("acknowledged", result));
        await named.Critical(201, 201);
        await named.Ack(ids[1]);
        await server.Restart();
        Assert.Equal([1, 201], (await named.Pending()).NumbersOf());
    }

    [Fact]
    public async Task What_waits_for_another_attempt_may_be_acknowledged_too()
    {
        await using var server = await TestServer.Start();
        var named = new Named(server);
        await named.Set("""{"backoff":[60]}""");
        await named.Critical(1, 2);
        var page = await named.Poll();
        await named.Nack(page.IdsOf());
        Assert.Equal(2, await named.Statistic("queue_size"));
        Assert.Equal(["acknowledged"], await named.Ack(page.IdsOf()[0]));
        Assert.Equal(["acknowledged"], await named.AckUpTo(page.Cursor()));
        Assert.Equal((0, 0), (await named.Number("pending"), await named.Statistic("queue_size")));
    }

    [Fact]
    public async Task Acknowledgements_that_come_together_are_all_stored()
    {
        await using var server = await TestServer.StartOnDisk();
        var named = new Named(server);
        await named.Critical(1, 200);
        var ids = (await named.Poll("limit=1000")).IdsOf();
        var answers = await Task.WhenAll(ids.Chunk(5).Select(some => named.Ack(some)));
        Assert.All(answers, results => Assert.All(results, result => Assert.Equal("acknowledged", result)));
        Assert.Equal(0, await named.Number("pending"));
        await server.Restart();
        Assert.Equal(0, await named.Number("pending"));
        Assert.Equal([], (await named.Poll("after=$")).NumbersOf());
    }

    [Fact]
    public async Task What_all_have_acknowledged_is_taken_out_of_storage()
    {
        await using var server = await TestServer.StartOnDisk();
        var (a, b) = (new Named(server), new Named(server, name: "b"));
        foreach (var named in new[] { a, b }) await named.Set("{}");
        for (var i = 1; i <= 50; i++) await a.Critical(i, i);
        await a.Ack((await a.Poll()).IdsOf());
        await b.Ack((await b.Poll()).IdsOf().Take(30));
        await Eventually.True(async () =>
            (await server.GetJson("/api/streams/s")).GetProperty("storedEvents").GetInt32() == 20);
        await b.Ack((await b.Pending()).IdsOf());
        await Eventually.True(async () =>
            (await server.GetJson("/api/streams/s")).GetProperty("storedEvents").GetInt32() == 0);
    }

    [Fact]
    public async Task A_removed_subscribers_connections_and_polls_end_and_it_stays_away()
    {
        await using var server = await TestServer.Start();
        var named = new Named(server);
        await named.Set("{}");
        await named.Critical(1, 1);
        await using var reader = await named.Read();
        await reader.Events(1);
        var page = await named.Poll();
        var waiting = server.Get($"/api/streams/s/events?subscriber=a&after={page.Cursor()}&wait=30");
        await Eventually.True(async () => await named.Number("connections") == 2);
        (await server.Delete(named.Path)).Must(HttpStatusCode.NoContent);
        await reader.Rest();
        var began = TimeProvider.System.GetTimestamp();
        (await waiting).Must(HttpStatusCode.OK);
        Assert.True(TimeProvider.System.GetElapsedTime(began) < TimeSpan.FromSeconds(20));
        await using var gone = await named.Read(lastEventId: reader.LastId);
        Assert.Equal(HttpStatusCode.NoContent, gone.Status);
        // Made again by a request of its own, it is a new one.
        await named.Set("{}");
        Assert.Equal([1], (await named.Pending()).NumbersOf());
    }
}
