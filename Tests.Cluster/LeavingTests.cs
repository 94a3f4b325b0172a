using System.Collections.Concurrent;
using Microsoft.Extensions.Logging.Abstractions;
using OrleansEvents.Grains.Interfaces;
using OrleansEvents.Grains.Taps;
using OrleansEvents.Streams;
using Xunit;

namespace OrleansEvents.Tests.Cluster;

/// <summary>Calls that meet a stream or a node as it comes or goes.</summary>
public sealed class LeavingTests(TwoSilos cluster)
{
    private static readonly ReadOnlyMemory<byte> s_settings = "{}"u8.ToArray();

    [Fact]
    public async Task A_call_that_is_turned_away_for_whatever_reason_is_made_again()
    {
        var name = await cluster.StreamOwnedBy(0);
        var failed = new ConcurrentDictionary<string, bool>();
        // What placing or activating a grain fails of is what its callers are given.
        cluster.Calls.OnOwner(name, method => failed.TryAdd(method, true)
            ? throw new ObjectDisposedException(method) : Task.CompletedTask);
        var node = cluster.Node(1);
        // What is not durable might be there twice, if it was tried again: that it is refused is right.
        (await Given.Publish(node, name, 1, critical: true)).Ok();
        (await node.Configure(name, s_settings, CancellationToken.None)).Ok();
        (await node.Describe(name)).Ok();
        using (var reader = await FeedFollower.On(node, name, ReadFrom.Beginning)) await reader.Has(1);
        (await node.Complete(name, CancellationToken.None)).Ok();
        (await node.Delete(name, CancellationToken.None)).Ok();

        Assert.Superset(new HashSet<string> { "PublishAll", "Configure", "Describe", "Watch", "Complete", "Delete" },
            failed.Keys.ToHashSet());
    }

    [Fact]
    public async Task A_tap_that_is_asked_for_before_it_listens_is_the_owners_tap()
    {
        var name = await cluster.StreamOwnedBy(0);
        (await Given.Publish(cluster.Node(0), name, 1)).Ok();
        var follower = new Follower();
        await using var ear = new TapEar(cluster.Through(1), name, follower, TimeProvider.System,
            NullLogger.Instance);

        Assert.Null(await ear.Renew(atOnce: true));
        ear.Start();
        (await Given.Publish(cluster.Node(0), name, 2)).Ok();

        await Given.Until(() => Task.FromResult(follower.Pushes > 0));
        var described = await cluster.Through(0).GetGrain<IStreamGrain>(name).Describe();
        Assert.Equal(1, described.Ok().Taps);
    }

    [Fact]
    public async Task Calls_that_meet_a_stream_as_it_leaves_are_answered()
    {
        var name = await cluster.StreamOwnedBy(0);
        for (var round = 1; round <= 60; round++)
        {
            await Task.WhenAll(cluster.Deactivate(name), Call(0, round), Call(1, round), Call(0, round),
                Call(1, round));
        }
        using var reader = await FeedFollower.On(cluster.Node(1), name, ReadFrom.Beginning);
        await reader.Has(60);

        async Task Call(int silo, int round)
        {
            var node = cluster.Node(silo);
            (await Given.Publish(node, name, round)).Ok();
            (await node.Configure(name, s_settings, CancellationToken.None)).Ok();
            (await node.Describe(name)).Ok();
            using var lease = (await node.Follow(name)).Ok();
        }
    }

    private sealed class Follower : ITapFollower
    {
        public int Pushes { get; private set; }

        public int Readers => 1;

        public Task Heard(TapPush push)
        {
            Pushes++;
            return Task.CompletedTask;
        }

        public Task Renewed(TapLease lease, bool atOnce) => Task.CompletedTask;
    }
}
