using OrleansEvents.Client;
using OrleansEvents.Tests.Cli;
using OrleansEvents.Tests.Http;
using Xunit;

namespace OrleansEvents.Tests.Client;

/// <summary>Subscribers by the client, against the server itself.</summary>
public sealed class SubscriberWithServerTests
{
    private static readonly TimeSpan s_short = TimeSpan.FromMilliseconds(20);

    [Fact]
    public async Task Everything_that_is_owed_comes_once_and_is_acknowledged_when_the_stream_ends()
    {
        const int Count = 5_000;
        await using var server = await TestServer.Start();
        using var client = new EventsClient(server.Address);
        await PublishAsync(client, 1, Count / 2);
        var seen = new List<int>();

        await foreach (var arrived in client.Subscribe("orders", "billing"))
        {
            seen.Add(arrived.Data.GetInt32());
            if (seen.Count != Count / 2)
                continue;
            await PublishAsync(client, Count / 2 + 1, Count);
            await client.CompleteAsync("orders");
        }

        Assert.Equal(Enumerable.Range(1, Count), seen);
        Assert.Equal(0, (await client.Subscriber("orders", "billing").DescribeAsync()).Pending);
    }

    [Fact]
    public async Task A_batch_does_not_wait_for_more_than_the_server_sends_without_acknowledgements()
    {
        const int Count = 40;
        await using var server = await TestServer.Start();
        using var client = new EventsClient(server.Address);
        await client.Subscriber("orders", "billing").ConfigureAsync(new() { MaxInFlight = 4 });
        await PublishAsync(client, 1, Count);
        var options = new SubscribeOptions { BatchDelay = TimeSpan.FromHours(1) };
        var left = Count;
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));

        await foreach (var _ in client.Subscribe("orders", "billing", options).WithCancellation(limit.Token))
        {
            if (--left == 0)
                break;
        }

        Assert.Equal(0, left);
    }

    [Fact]
    public async Task Nothing_is_missed_or_doubled_over_graceful_restarts()
    {
        const int Count = 600;
        await using var server = await TestServer.StartOnDisk();
        var port = server.Address.Port;
        using var client = new EventsClient(
            server.Address, options: new EventsClientOptions { FirstDelay = s_short, LongestDelay = s_short });
        await PublishAsync(client, 1, Count);
        await client.CompleteAsync("orders");
        var seen = new List<int>();

        await foreach (var arrived in client.Subscribe("orders", "billing", new SubscribeOptions { BatchSize = 7 }))
        {
            seen.Add(arrived.Data.GetInt32());
            if (seen.Count is 100 or 350)
                await server.Restart("--urls", $"http://127.0.0.1:{port}");
        }

        Assert.Equal(Enumerable.Range(1, Count), seen.Order());
        Assert.Equal(0, (await client.Subscriber("orders", "billing").DescribeAsync()).Pending);
    }

    [Fact]
    public async Task A_rejected_event_comes_again_until_it_is_parked_and_can_be_put_back()
    {
        await using var server = await TestServer.Start();
        using var client = new EventsClient(server.Address);
        var billing = client.Subscriber("orders", "billing");
        var set = await billing.ConfigureAsync(new() { MaxAttempts = 3, Backoff = [s_short] });
        await PublishAsync(client, 1, 2);
        await client.CompleteAsync("orders");
        var reader = client.Subscribe("orders", "billing");
        var seen = new List<(int, int)>();

        await foreach (var arrived in reader)
        {
            seen.Add((arrived.Data.GetInt32(), arrived.Attempt));
            if (arrived.Data.GetInt32() == 1)
                Assert.True(reader.Reject(arrived, TimeSpan.Zero));
        }
        var parked = new List<OwedEvent>();
        await foreach (var each in billing.DeadLettersAsync())
            parked.Add(each);
        var described = await billing.DescribeAsync();
        var replayed = await billing.ReplayAsync();
        var again = new List<int>();
        await foreach (var arrived in client.Subscribe("orders", "billing"))
            again.Add(arrived.Data.GetInt32());

        Assert.Equal((3, s_short), (set.Policy.MaxAttempts, Assert.Single(set.Policy.Backoff!)));
        Assert.Equal([(1, 1), (1, 2), (1, 3), (2, 1)], seen.Order());
        Assert.Equal((1, 3), (Assert.Single(parked).Event.Data.GetInt32(), parked[0].History.Count));
        Assert.Equal((0, 1, 1), (described.Pending, described.DeadLetters, replayed));
        Assert.Equal([1], again);
    }

    [Fact]
    public async Task An_event_whose_work_failed_comes_to_the_next_loop_with_its_attempt()
    {
        await using var server = await TestServer.Start();
        using var client = new EventsClient(server.Address);
        var billing = client.Subscriber("orders", "billing");
        await billing.ConfigureAsync(new() { Backoff = [s_short] });
        await PublishAsync(client, 1, 1);

        for (var attempt = 1; attempt <= 3; attempt++)
        {
            var seen = 0;
            await Assert.ThrowsAsync<FormatException>(async () =>
            {
                await foreach (var arrived in client.Subscribe("orders", "billing"))
                {
                    seen = arrived.Attempt;
                    throw new FormatException();
                }
            });
            Assert.Equal(attempt, seen);
            // A connection that comes before the server has noticed would share the attempt.
            await Until.TrueAsync(async () => (await billing.DescribeAsync()).Connections == 0);
        }
    }

    [Fact]
    public async Task Ordinary_events_are_acknowledged_too_for_a_subscriber_that_is_owed_all()
    {
        await using var server = await TestServer.Start();
        using var client = new EventsClient(server.Address);
        var billing = client.Subscriber("orders", "billing");
        await billing.ConfigureAsync(new() { Owed = OwedEvents.All, Types = ["n"] });
        await using var events = client.Subscribe("orders", "billing").GetAsyncEnumerator();
        var first = events.MoveNextAsync();
        await Until.TrueAsync(async () => (await billing.DescribeAsync()).Connections == 1);
        await client.PublishAsync("orders", [NewEvent.Of("other", 0), NewEvent.Of("n", 1), NewEvent.Of("n", 2)]);

        Assert.True(await first);
        Assert.Equal(1, events.Current.Data.GetInt32());
        Assert.Equal(2, (await billing.DescribeAsync()).Pending);
        Assert.True(await events.MoveNextAsync());
        await Until.TrueAsync(async () => (await billing.DescribeAsync()).Pending == 1);
    }

    [Fact]
    public async Task A_subscriber_is_listed_purged_and_removed()
    {
        await using var server = await TestServer.Start();
        using var client = new EventsClient(server.Address);
        var billing = client.Subscriber("orders", "billing");
        await billing.ConfigureAsync(new() { MaxAttempts = 1 });
        await PublishAsync(client, 1, 3);
        var owed = new List<string>();
        await foreach (var each in billing.PendingAsync())
            owed.Add(each.Event.Id);
        await using (var events = client.Subscribe("orders", "billing").GetAsyncEnumerator())
        {
            Assert.True(await events.MoveNextAsync());
            await Until.TrueAsync(async () =>
                (await billing.RejectAsync(owed[..1]))[0].Result is "parked" or "already");
        }

        Assert.Equal(3, owed.Count);
        Assert.Equal("billing", Assert.Single(await client.SubscribersAsync("orders")).Name);
        Assert.InRange(await billing.PurgeAsync(), 1, 3);
        await billing.RemoveAsync();
        await billing.RemoveAsync();
        Assert.Empty(await client.SubscribersAsync("orders"));
        await foreach (var _ in client.Subscribe("orders", "billing"))
            Assert.Fail("It was removed.");
    }

    private static Task<PublishResult> PublishAsync(EventsClient client, int first, int last) => client.PublishAsync(
        "orders",
        [.. Enumerable.Range(first, last - first + 1).Select(n => NewEvent.Of("n", n) with { Critical = true })]);
}
