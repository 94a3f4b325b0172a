using System.Collections.Concurrent;
using Orleans.Runtime;
using Orleans.Streams;
using OrleansEvents.Grains.Bridge;
using OrleansEvents.Grains.Interfaces;
using OrleansEvents.Streams;
using Xunit;
using static OrleansEvents.Tests.Cluster.Bridge.FollowerGrains;

namespace OrleansEvents.Tests.Cluster.Bridge;

/// <summary>Grains and clients that follow event streams by an Orleans stream.</summary>
public sealed class BridgeFollowTests(TwoSilos cluster)
{
    [Fact]
    public async Task A_grain_is_given_what_anybody_publishes_from_when_it_followed_and_its_own()
    {
        var name = await cluster.StreamOwnedBy(0);
        // On a busy machine a follower is late.
        (await cluster.Node(0).Configure(name, """{"buffer":1000}"""u8.ToArray(), default)).Ok();
        (await Given.Publish(cluster.Node(1), name, 0)).Ok();
        var (near, far) = (await cluster.FollowerOn(0, name), await cluster.FollowerOn(1, name));
        await near.Follow(null);
        await far.Follow(null);
        for (var i = 1; i <= 300; i++)
        {
            if (i % 3 == 0) await near.Publish(Note(i, critical: i % 30 == 0));
            else (await Given.Publish(cluster.Node(i % 2), name, i)).Ok();
        }

        await near.Has(300);
        await far.Has(300);
        Assert.Equal(Enumerable.Range(1, 300), await near.Numbers());
        Assert.Equal(Enumerable.Range(1, 300), await far.Numbers());
        var last = (await far.Seen()).Last();
        Assert.Equal((301, "note", true), (last.Seq, last.Type, last.Critical));
    }

    [Fact]
    public async Task Who_follows_a_stream_that_does_not_exist_waits_for_it_and_is_told_of_its_end()
    {
        var name = await cluster.StreamOwnedBy(1);
        var grain = await cluster.FollowerOn(0, name);
        await grain.Follow(null);
        (await Given.Publish(cluster.Node(0), name, 1)).Ok();
        await grain.Has(1);
        (await Given.Publish(cluster.Node(0), name, 2)).Ok();
        (await cluster.Node(0).Complete(name, default)).Ok();

        await Given.Until(async () => (await grain.Seen()).Length == 3);
        Assert.Equal([1, 2], await grain.Numbers());
        Assert.Equal(StreamState.Completed, (await grain.Seen()).Last().Ended);
    }

    [Fact]
    public async Task A_position_is_resumed_at_and_one_that_fell_out_of_the_buffer_is_told()
    {
        var name = await cluster.StreamOwnedBy(0);
        (await cluster.Node(0).Configure(name, """{"buffer":10}"""u8.ToArray(), default)).Ok();
        var first = (await Given.Publish(cluster.Node(0), name, 1)).Ok().Last.ToString();
        for (var i = 2; i <= 8; i++) (await Given.Publish(cluster.Node(0), name, i)).Ok();
        var grain = await cluster.FollowerOn(1, name);
        await grain.Follow(first);
        (await Given.Publish(cluster.Node(0), name, 9)).Ok();
        await grain.Has(9);
        Assert.Equal(Enumerable.Range(2, 8), await grain.Numbers());
        Assert.Empty(await grain.Gaps());

        for (var i = 10; i <= 30; i++) (await Given.Publish(cluster.Node(0), name, i)).Ok();
        var late = await cluster.FollowerOn(0, name);
        await late.Follow(first);
        await late.Has(30);
        Assert.Equal(Enumerable.Range(21, 10), await late.Numbers());
        var gap = Assert.Single(await late.Gaps());
        Assert.Equal((GapReason.Evicted, 19L), (gap.Reason, gap.Missed));
    }

    [Fact]
    public async Task Of_a_durable_stream_what_the_buffer_has_lost_is_read_from_storage()
    {
        var name = await cluster.StreamOwnedBy(0);
        (await cluster.Node(0).Configure(name, """{"buffer":5,"durable":true}"""u8.ToArray(), default)).Ok();
        var first = (await Given.Publish(cluster.Node(0), name, 1)).Ok().Last.ToString();
        for (var i = 2; i <= 600; i += 50)
            (await cluster.Node(0).Publish(name, Enumerable.Range(i, 50).Select(n => Given.Event(n)).ToArray(), null,
                default)).Ok();
        var grain = await cluster.FollowerOn(1, name);
        await grain.Follow(first);

        await grain.Has(601);
        Assert.Equal(Enumerable.Range(2, 600), await grain.Numbers());
        Assert.Empty(await grain.Gaps());
    }

    [Fact]
    public async Task What_a_follower_fails_of_comes_again_and_is_a_gap_in_the_end()
    {
        var name = await cluster.StreamOwnedBy(0);
        var grain = await cluster.FollowerOn(1, name);
        await grain.Follow(null);
        await grain.FailNext(2);
        await grain.Publish(Note(1));
        await grain.Has(1);
        Assert.Equal([1], await grain.Numbers());

        await grain.FailNext(int.MaxValue);
        await grain.Publish(Note(2));
        // Twice: once for the event, once for word of its loss.
        await Given.Until(async () => await grain.Errors() >= 2);
        await grain.FailNext(0);
        await grain.Publish(Note(3));
        await grain.Has(3);
        Assert.Equal([1, 3], await grain.Numbers());
        var gap = Assert.Single(await grain.Gaps());
        Assert.Equal((GapReason.Slow, 1L), (gap.Reason, gap.Missed));
    }

    [Fact]
    public async Task A_slow_follower_delays_nobody_and_is_told_what_it_missed()
    {
        var name = await cluster.StreamOwnedBy(0);
        (await cluster.Node(0).Configure(name, """{"buffer":100,"bufferBytes":20000}"""u8.ToArray(), default)).Ok();
        var (slow, quick) = (await cluster.FollowerOn(0, name), await cluster.FollowerOn(1, name));
        await slow.Follow(null);
        await quick.Follow(null);
        await slow.SlowDown(TimeSpan.FromMilliseconds(20));
        for (var i = 1; i <= 2000; i += 50)
        {
            (await cluster.Node(0).Publish(name, Enumerable.Range(i, 50).Select(n => Given.Event(n)).ToArray(), null,
                default)).Ok();
            await quick.Has(i + 49);
        }

        Assert.Equal(Enumerable.Range(1, 2000), await quick.Numbers());
        await slow.SlowDown(TimeSpan.Zero);
        await slow.Has(2000);
        Assert.NotEmpty(await slow.Gaps());
        var seen = await slow.Numbers();
        Assert.Equal(seen.Order(), seen);
        Assert.Equal(2000, seen.Count + (await slow.Gaps()).Sum(gap => gap.Missed));
    }

    [Fact]
    public async Task A_stream_that_moves_goes_on_and_one_that_is_made_again_begins_behind_a_gap()
    {
        var name = await cluster.StreamOwnedBy(0);
        var grain = await cluster.FollowerOn(1, name);
        await grain.Follow(null);
        for (var i = 1; i <= 30; i++)
        {
            if (i % 10 == 0) await cluster.Deactivate(name);
            (await Given.Publish(cluster.Node(1), name, i)).Ok();
        }
        await grain.Has(30);
        Assert.Equal(Enumerable.Range(1, 30), await grain.Numbers());
        Assert.Empty(await grain.Gaps());

        (await cluster.Node(0).Delete(name, default)).Ok();
        await Given.Until(async () => (await grain.Seen()).Last().Ended == StreamState.Deleted);
        (await Given.Publish(cluster.Node(0), name, 31)).Ok();
        await grain.Has(31);
        Assert.Equal([GapReason.Reset], (await grain.Gaps()).Select(gap => gap.Reason));
    }

    [Fact]
    public async Task A_client_follows_too_and_who_does_not_want_to_any_more_is_given_nothing()
    {
        var name = await cluster.StreamOwnedBy(1);
        var seen = new ConcurrentQueue<GrainEvent>();
        var stream = cluster.Client.GetStreamProvider(cluster.Bridge.Provider)
            .GetStream<GrainEvent>(StreamId.Create(BridgeOptions.Namespace, name));
        var handle = await stream.SubscribeAsync((item, _) =>
        {
            seen.Enqueue(item);
            return Task.CompletedTask;
        });
        await stream.OnNextAsync(Note(1));
        await Given.Until(() => Task.FromResult(seen.Count == 1));
        await handle.UnsubscribeAsync();
        await stream.OnNextAsync(Note(2));

        // The cluster lets the stream go: nothing is pushed to any node.
        await Given.Until(async () =>
            (await cluster.Through(0).GetGrain<IStreamGrain>(name).Describe()).Ok().Readers == 0);
        Assert.Single(seen);
    }

    [Fact]
    public async Task The_documents_grain_counts_every_payment_once()
    {
        var books = cluster.Through(0).GetGrain<IBooksGrain>("2026");
        await books.Open();
        await books.Pay(new Paid("p1", 10));
        await books.Pay(new Paid("p1", 10));
        await Given.Until(async () => await books.Total() == 10);
        await books.AsReference<Orleans.Core.Internal.IGrainManagementExtension>().DeactivateOnIdle();
        await books.Pay(new Paid("p2", 5));

        await Given.Until(async () => await books.Total() == 15);
        await books.Open();
        await books.Pay(new Paid("p3", 1));
        await Given.Until(async () => await books.Total() == 16);
    }
}
