using System.Text.Json;
using OrleansEvents.Tests.Metrics;
using OrleansEvents.Tests.Reading;
using OrleansEvents.Tests.Subscribers;
using Xunit;

namespace OrleansEvents.Tests.Http;

/// <summary>What operators see of all subscribers together.</summary>
public sealed class AdminTests
{
    private const string Strict = """{"ackWait":60,"backoff":[60],"maxAttempts":2,"maxPending":4}""";

    [Fact]
    public async Task Retries_are_listed_by_stream_and_subscriber_with_their_totals()
    {
        await using var server = await Troubled();
        var all = await server.GetJson("/api/admin/retries");
        Assert.Equal("""
            {"pending":5,"inFlight":1,"statistics":{"queued":3,"retried":1,"succeeded":1,"abandoned":2,"queue_size":2}}
            """, all.GetProperty("totals").GetRawText());
        Assert.Equal(["x a 3 1 [3,1,1,2,2]", "x b 1 0 [0,0,0,0,0]", "y a 1 0 [0,0,0,0,0]"],
            all.GetProperty("subscribers").EnumerateArray().Select(each => $"{each.GetProperty("stream")} "
                + $"{each.GetProperty("subscriber")} {each.GetProperty("pending")} {each.GetProperty("inFlight")} ["
                + string.Join(',', each.GetProperty("statistics").EnumerateObject().Select(one => one.Value)) + "]"));
        Assert.False(all.GetProperty("more").GetBoolean());
        var some = await server.GetJson("/api/admin/retries?limit=2");
        Assert.Equal((2, true, 5), (some.GetProperty("subscribers").GetArrayLength(),
            some.GetProperty("more").GetBoolean(), some.GetProperty("totals").GetProperty("pending").GetInt32()));
        (await server.Get("/api/admin/retries?limit=0")).MustRefuse(400, "INVALID_INPUT");
    }

    [Fact]
    public async Task Dead_letters_are_listed_by_who_has_them()
    {
        await using var server = await Troubled("--Subscribers:DeadLetters", "1");
        await Eventually.True(async () => (await server.GetJson("/api/admin/dead-letters")).GetRawText() ==
            """
            {"count":1,"subscribers":[{"stream":"x","subscriber":"a","count":1,
            """ + """
            "expired":{"firstSeq":1,"lastSeq":1,"count":1}}],"more":false}
            """);
    }

    [Fact]
    public async Task One_process_names_no_nodes_and_no_owner_of_its_streams()
    {
        Assert.SkipWhen(ServerEngine.IsCluster, "A cluster has nodes.");
        await using var server = await TestServer.Start();
        foreach (var name in new[] { "a.x", "a.y", "b" }) await server.Publish(name, Given.Event(1));
        Assert.Equal("""{"nodes":[]}""", (await server.GetJson("/api/admin/nodes")).GetRawText());
        Assert.Equal("""{"streams":[{"stream":"a.x"}],"more":true}""",
            (await server.GetJson("/api/admin/streams?prefix=a.&limit=1")).GetRawText());
        Assert.Equal("""{"streams":[{"stream":"a.y"}],"more":false}""",
            (await server.GetJson("/api/admin/streams?prefix=a.&after=a.x")).GetRawText());
        (await server.Get("/api/admin/streams?limit=0")).MustRefuse(400, "INVALID_INPUT");
        Assert.False((await server.GetJson("/api/streams/b")).TryGetProperty("node", out _));
    }

    [Fact]
    public async Task The_metrics_follow_every_subscriber_and_let_go_of_those_that_leave()
    {
        Assert.SkipWhen(ServerEngine.IsCluster, "A node counts the subscribers that live on it.");
        await using var server = await Troubled();
        async Task Are(string figures) => await Eventually.True(async () => await Figures(server) == figures);
        await Are("3 1 1 2 2 5 2");
        (await server.Delete("/api/streams/x/subscribers/b")).Must(System.Net.HttpStatusCode.NoContent);
        await Are("3 1 1 2 2 4 2");
        Assert.Equal(2, await new Named(server, "x").Replay());
        await Are("3 1 1 2 2 6 0");
        (await server.Delete("/api/streams/x")).Must(System.Net.HttpStatusCode.NoContent);
        await Are("3 1 1 2 0 1 0");
        await server.Restart();
        await new Named(server, "y").Describe();
        // What was counted before is not counted again.
        await Are("0 0 0 0 0 1 0");
    }

    private static async Task<string> Figures(TestServer server)
    {
        var scrape = await Scrape.Of(server);
        return string.Join(' ', new[] { "retries_queued_total", "retries_retried_total", "retries_succeeded_total",
            "retries_abandoned_total", "retry_queue_size", "pending_events", "dead_letters" }
            .Select(name => scrape[name]));
    }

    /// <summary>x/a: of six events two are parked, one is acknowledged, two wait for a retry and one is in flight; x/b
    /// and y/a are owed one each.</summary>
    private static async Task<TestServer> Troubled(params string[] options)
    {
        var server = await TestServer.StartOnDisk(options);
        var named = new Named(server, "x");
        await named.Set(Strict);
        await named.Critical(1, 5);
        // One is beyond what may be owed.
        await named.Dead(1);
        await using (var reader = await named.Read("after=$"))
        {
            var ids = (await reader.Events(4)).EventIds().ToArray();
            await named.Nack(ids[..2]);
            await named.NackFor(0, ids[0]);
            await reader.Next(2, attempt: 2);
            Assert.Equal(["parked"], await named.Nack(ids[0]));
            await named.Ack(ids[2]);
        }
        await Eventually.True(async () => await named.Number("connections") == 0);
        await named.Set("""{"maxPending":100}""");
        await new Named(server, "x", "b").Set("""{"from":"new"}""");
        await named.Critical(6, 6);
        Assert.Equal([6], (await named.Poll("after=$")).NumbersOf());
        var other = new Named(server, "y");
        await other.Set("{}");
        await other.Critical(1, 1);
        return server;
    }
}
