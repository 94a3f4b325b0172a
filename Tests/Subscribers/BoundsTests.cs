using System.Net;
using Microsoft.Extensions.DependencyInjection;
using OrleansEvents.Storage.Memory;
using OrleansEvents.Streams;
using OrleansEvents.Tests.Http;
using OrleansEvents.Tests.Reading;
using Xunit;

namespace OrleansEvents.Tests.Subscribers;

/// <summary>What happens when a subscriber is owed too much, for too long, or is forgotten.</summary>
public sealed class BoundsTests
{
    [Fact]
    public async Task Beyond_its_bound_the_oldest_owed_is_parked_and_publishers_go_on()
    {
        await using var server = await TestServer.StartOnDisk();
        var (named, other) = (new Named(server), new Named(server, name: "b"));
        await named.Set("""{"maxPending":3}""");
        await other.Set("{}");
        await named.Critical(1, 5);
        Assert.Equal([1, 2], await named.Dead(2));
        Assert.Equal([3, 4, 5], (await named.Pending()).NumbersOf());
        Assert.Equal([1, 2, 3, 4, 5], (await other.Pending()).NumbersOf());
        await server.Restart();
        Assert.Equal([1, 2], await named.Dead(2));
        Assert.Equal([3, 4, 5], (await named.Pending()).NumbersOf());
        var history = (await named.DeadLetters()).GetProperty("events")[0].GetProperty("history");
        Assert.Equal("overflow", history[0].GetProperty("reason").GetString());
        await named.Set("""{"maxPending":1}""");
        Assert.Equal([1, 2, 3, 4], await named.Dead(4));
    }

    [Fact]
    public async Task One_that_blocks_has_critical_publishes_refused_until_it_acknowledges()
    {
        await using var server = await TestServer.Start();
        var named = new Named(server);
        await named.Set("""{"overflow":"block","maxPending":3}""");
        await named.Critical(1, 2);
        var refused = await server.TryPublish("s", $"[{Http.Given.Critical(8)},{Http.Given.Critical(9)}]");
        refused.MustRefuse(503, "BACKLOG_FULL");
        Assert.NotNull(refused.Header("Retry-After"));
        await named.Critical(3, 3);
        (await server.TryPublish("s", Http.Given.Critical(9))).MustRefuse(503, "BACKLOG_FULL");
        await named.Ordinary(4, 4);
        Assert.Equal([1, 2, 3], (await named.Pending()).NumbersOf());
        Assert.Equal(0, await named.Number("deadLetters"));

        var owed = (await named.Poll()).IdsOf();
        await named.Ack(owed[0]);
        await named.Critical(5, 5);
        (await server.TryPublish("s", Http.Given.Critical(9))).MustRefuse(503, "BACKLOG_FULL");
    }

    [Fact]
    public async Task A_blocked_publisher_goes_on_as_soon_as_the_one_that_blocked_is_changed_or_gone()
    {
        await using var server = await TestServer.Start();
        var named = new Named(server);
        async Task Fill()
        {
            await named.Set("""{"overflow":"block","maxPending":1,"from":"new"}""");
            await named.Critical(1, 1);
            (await server.TryPublish("s", Http.Given.Critical(9))).MustRefuse(503, "BACKLOG_FULL");
        }
        await Fill();
        await named.Set("""{"overflow":"lapse"}""");
        await named.Critical(2, 2);
        (await server.Delete(named.Path)).Must(HttpStatusCode.NoContent);
        await Fill();
        (await server.Delete(named.Path)).Must(HttpStatusCode.NoContent);
        await named.Critical(2, 2);
        await Fill();
        await named.Set("""{"maxPending":2}""");
        await named.Critical(2, 2);
    }

    [Fact]
    public async Task The_streams_own_backlog_bounds_one_that_blocks_too()
    {
        await using var server = await TestServer.StartOnDisk();
        await server.Configure("s", """{"backlog":2}""");
        var named = new Named(server);
        await named.Set("""{"overflow":"block"}""");
        await named.Critical(1, 2);
        (await server.TryPublish("s", Http.Given.Critical(3))).MustRefuse(503, "BACKLOG_FULL");
        await server.Restart();
        (await server.TryPublish("s", Http.Given.Critical(3))).MustRefuse(503, "BACKLOG_FULL");
        await server.Configure("s", """{"backlog":3}""");
        await named.Critical(3, 3);
    }

    [Fact]
    public async Task A_bound_holds_when_many_publish_at_once()
    {
        await using var server = await TestServer.Start();
        var named = new Named(server);
        await named.Set("""{"overflow":"block","maxPending":10}""");
        var answers = await Task.WhenAll(1.To(40).Select(i => server.TryPublish("s", Http.Given.Critical(i))));
        Assert.Equal(10, answers.Count(answer => answer.Status == HttpStatusCode.Created));
        Assert.Equal(10, await named.Number("pending"));
    }

    [Fact]
    public async Task What_is_older_than_the_policy_allows_is_parked()
    {
        await using var server = await TestServer.Start();
        var named = new Named(server);
        await named.Set("""{"maxAge":0.2}""");
        await named.Critical(1, 2);
        Assert.Equal([1, 2], await named.Dead(2));
        var history = (await named.DeadLetters()).GetProperty("events")[0].GetProperty("history");
        Assert.Equal("age", history[0].GetProperty("reason").GetString());
    }

    [Fact]
    public async Task Retention_parks_what_is_owed_and_loses_nothing()
    {
        await using var server = await TestServer.StartOnDisk();
        await server.Configure("s", """{"retention":{"count":3},"buffer":1}""");
        var named = new Named(server);
        await named.Set("{}");
        for (var i = 1; i <= 8; i++) await named.Critical(i, i);
        await Eventually.True(async () => await named.Number("deadLetters") >= 5);
        var (parked, owed) = ((await named.DeadLetters()).NumbersOf(), (await named.Pending()).NumbersOf());
        Assert.Equal(1.To(8), parked.Concat(owed));
        Assert.Equal("retention", (await named.DeadLetters()).GetProperty("events")[0].GetProperty("history")[0]
            .GetProperty("reason").GetString());
        await Eventually.True(async () =>
            (await server.GetJson("/api/streams/s")).GetProperty("storedEvents").GetInt32() <= 3);
        Assert.Equal(5, await named.Replay());
        await using var reader = await named.Read("after=$");
        Assert.Equal(1.To(8), (await reader.Events(8)).Numbers());
    }

    [Fact]
    public async Task Retention_by_age_parks_too()
    {
        await using var server = await TestServer.StartOnDisk();
        await server.Configure("s", """{"retention":{"age":0.3,"count":null}}""");
        var named = new Named(server);
        await named.Set("{}");
        await named.Critical(1, 3);
        Assert.Equal([1, 2, 3], await named.Dead(3));
        Assert.Equal([], (await named.Pending()).NumbersOf());
    }

    [Fact]
    public async Task Without_any_subscriber_critical_events_stay_for_whoever_registers()
    {
        await using var server = await TestServer.StartOnDisk();
        await server.Configure("s", """{"retention":{"count":3}}""");
        var named = new Named(server);
        for (var i = 1; i <= 5; i++) await named.Critical(i, i);
        await Eventually.True(async () =>
            (await server.GetJson("/api/streams/s")).GetProperty("storedEvents").GetInt32() == 3);
        await server.Restart();
        await named.Poll();
        Assert.Equal([3, 4, 5], (await named.Pending()).NumbersOf());
    }

    [Fact]
    public async Task One_that_registered_by_reading_is_forgotten_when_it_stays_away_but_not_while_it_is_here()
    {
        await using var server = await TestServer.StartOnDisk("--Subscribers:ExpireAfter", "0.3");
        var (here, away, made) = (new Named(server, name: "here"), new Named(server, name: "away"),
            new Named(server, name: "made"));
        await made.Set("{}");
        await using var reader = await here.Read();
        await reader.Next("connected");
        await using (var leaving = await away.Read()) await leaving.Next("connected");
        await Eventually.True(async () => (await server.Get(away.Path)).Status == HttpStatusCode.NotFound);
        await here.Critical(1, 1);
        Assert.Equal([1], (await here.Pending()).NumbersOf());
        Assert.Equal([1], (await made.Pending()).NumbersOf());
        await reader.DisposeAsync();
        await Eventually.True(async () => (await server.Get(here.Path)).Status == HttpStatusCode.NotFound);
        await server.Restart();
        var left = (await server.GetJson("/api/streams/s/subscribers")).GetProperty("subscribers");
        Assert.Equal("made", Assert.Single(left.EnumerateArray()).GetProperty("subscriber").GetString());
        // Forgotten, not removed: it may come again.
        Assert.Equal([1], (await away.Poll()).NumbersOf());
    }

    [Fact]
    public async Task One_that_comes_back_while_it_is_being_forgotten_is_there_after_a_restart()
    {
        Assert.SkipWhen(ServerEngine.IsCluster, "There it is not known to be gone before its row is.");
        await using var memory = new MemoryEventLog();
        var log = StallingLog.Over(memory);
        await using var server = await TestServer.StartWith(services => services.AddSingleton(log.Log),
            "--Subscribers:ExpireAfter", "0.05");
        var named = new Named(server);
        await named.Critical(1, 1);
        log.Stall(nameof(IEventLog.RemoveSubscriber));
        await named.Poll();
        await Eventually.True(async () => (await server.Get(named.Path)).Status == HttpStatusCode.NotFound);
        var coming = named.Set("""{"maxAttempts":7}""");
        await Eventually.True(async () => (await server.GetJson("/api/streams/s")).GetProperty("subscribers")
            .GetArrayLength() == 1);
        log.GoOn();
        await coming;
        await server.Restart();
        Assert.Equal(7, (await named.Describe()).GetProperty("policy").GetProperty("maxAttempts").GetInt32());
    }

    [Fact]
    public async Task One_that_was_removed_stays_away_for_an_hour()
    {
        Assert.SkipWhen(ServerEngine.IsCluster, "It holds the clock, and the silos live by it.");
        var time = new ManualTime();
        await using var server = await TestServer.StartWith(services => services.AddSingleton<TimeProvider>(time));
        var named = new Named(server);
        await named.Critical(1, 1);
        await named.Poll();
        (await server.Delete(named.Path)).Must(HttpStatusCode.NoContent);
        time.Pass(TimeSpan.FromMinutes(59));
        (await server.Get("/api/streams/s/events?subscriber=a")).Must(HttpStatusCode.NoContent);
        time.Pass(TimeSpan.FromMinutes(2));
        Assert.Equal([1], (await named.Poll()).NumbersOf());
    }
}
