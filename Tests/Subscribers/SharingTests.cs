using OrleansEvents.Tests.Http;
using OrleansEvents.Tests.Reading;
using Xunit;

namespace OrleansEvents.Tests.Subscribers;

/// <summary>How the connections of one subscriber share what it is owed.</summary>
public sealed class SharingTests
{
    [Fact]
    public async Task In_broadcast_each_connection_gets_each_event_once_a_round_and_one_acknowledgement_clears_it()
    {
        await using var server = await TestServer.Start();
        var named = new Named(server);
        await named.Set("""{"ackWait":0.3,"backoff":[0.01],"maxAttempts":50}""");
        await named.Critical(1, 2);
        await using var one = await named.Read();
        await using var two = await named.Read();
        await one.Events(2);
        await two.Events(2);
        foreach (var reader in new[] { one, two })
        {
            await reader.Next(1, attempt: 3);
            var rounds = reader.Frames.Where(frame => frame.IsEvent && frame.Number() == 1);
            Assert.Equal([1, 2, 3], rounds.Select(each => each.Attempt()));
        }
        Assert.Equal(["acknowledged"], await named.Ack(one.Frames.First(frame => frame.IsEvent).EventId()));
        var seen = two.Frames.Count;
        var rest = await two.Next(frame => frame.IsEvent && frame.Number() == 2 && frame.Attempt() >= 6);
        Assert.DoesNotContain(two.Frames.Skip(seen), frame =>
            frame.IsEvent && frame.Number() == 1 && frame.Attempt() > 4);
        Assert.Equal(["already"], await named.Ack(two.Frames.First(frame => frame.IsEvent).EventId()));
        Assert.Equal(["acknowledged"], await named.Ack(rest.EventId()));
    }

    [Fact]
    public async Task An_event_in_flight_on_another_connection_is_not_retried_because_one_closes()
    {
        await using var server = await TestServer.Start();
        var named = new Named(server);
        await named.Set("""{"ackWait":60,"backoff":[0.001]}""");
        await named.Critical(1, 1);
        await using var stays = await named.Read();
        await stays.Next(1);
        await using (var leaves = await named.Read()) await leaves.Next(1);
        await server.Left(1);
        Assert.Empty(await stays.Before(server, 2));
        Assert.Equal(1, await named.Number("inFlight"));
    }

    [Fact]
    public async Task Where_connections_compete_each_event_goes_to_one_and_those_of_one_that_leaves_to_another()
    {
        await using var server = await TestServer.Start();
        var named = new Named(server);
        await named.Set("""{"mode":"compete","ackWait":60,"backoff":[0.01],"maxAttempts":9}""");
        await using var one = await named.Read();
        await one.Next("connected");
        await using var two = await named.Read();
        await two.Next("connected");
        for (var i = 1; i <= 10; i++) await named.Critical(i, i);
        await named.Ordinary(11, 11);
        async Task<List<SseFrame>> Of(SseReader reader)
        {
            // Nothing that competes is on the line.
            Assert.NotNull((await reader.Next(11)).Id);
            await Eventually.True(async () => await named.Number("inFlight") == 10);
            return await reader.Before(server, 12);
        }
        await Of(one);
        await Of(two);
        var (ofOne, ofTwo) = (Owed(one), Owed(two));
        Assert.Equal(1.To(10), ofOne.Concat(ofTwo).Numbers().Order());
        Assert.Equal(5, ofOne.Count);
        Assert.All(ofOne.Concat(ofTwo), each => Assert.Null(each.Id));

        await one.DisposeAsync();
        foreach (var number in ofOne.Numbers()) await two.Next(number, attempt: 2);
        Assert.Equal(10, (await named.Ack(ofOne.Concat(ofTwo).EventIds())).Count(each => each == "acknowledged"));

        static List<SseFrame> Owed(SseReader reader) =>
            [.. reader.Frames.Where(frame => frame.IsEvent && frame.Number() <= 10)];
    }

    [Fact]
    public async Task Where_connections_compete_up_to_means_nothing()
    {
        await using var server = await TestServer.Start();
        var named = new Named(server);
        await named.Set("""{"mode":"compete"}""");
        await named.Critical(1, 1);
        var page = await named.Poll();
        Assert.Equal([1], page.NumbersOf());
        (await server.Post($"{named.Path}/ack", $$"""{"upTo":"{{page.Cursor()}}"}"""))
            .MustRefuse(400, "INVALID_INPUT");
        Assert.Equal(["acknowledged"], await named.Ack(page.IdsOf()));
    }

    [Fact]
    public async Task Competing_polls_share_too()
    {
        await using var server = await TestServer.Start();
        var named = new Named(server);
        await named.Set("""{"mode":"compete"}""");
        await named.Critical(1, 6);
        Assert.Equal([1, 2, 3, 4], (await named.Poll("limit=4&after=$")).NumbersOf());
        Assert.Equal([5, 6], (await named.Poll("limit=4&after=$")).NumbersOf());
    }

    [Fact]
    public async Task Connections_end_when_the_way_of_sharing_changes_and_lose_nothing()
    {
        await using var server = await TestServer.Start();
        var named = new Named(server);
        await named.Set("""{"ackWait":60,"backoff":[0.001]}""");
        await using var reader = await named.Read();
        await reader.Next("connected");
        await named.Critical(1, 2);
        await named.Ack((await reader.Events(2))[0].EventId());
        await named.Set("""{"mode":"compete"}""");
        await reader.Rest();
        await using var again = await named.Read();
        await again.Next(2, attempt: 2);
    }

    [Fact]
    public async Task A_subscriber_has_a_bounded_number_of_connections()
    {
        await using var server = await TestServer.Start();
        var named = new Named(server);
        var readers = new List<SseReader>();
        for (var i = 0; i < OrleansEvents.Streams.Subscription.MostConnections; i++) readers.Add(await named.Read());
        (await server.Get("/api/streams/s/events?subscriber=a", ("Accept", "text/event-stream")))
            .MustRefuse(429, "RATE_LIMITED");
        await readers[0].DisposeAsync();
        await Eventually.True(async () => await named.Number("connections") < readers.Count);
        await using (var next = await named.Read()) await next.Next("connected");
        foreach (var reader in readers) await reader.DisposeAsync();
    }
}
