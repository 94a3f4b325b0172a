using OrleansEvents.Grains.Interfaces;
using OrleansEvents.Streams;
using Xunit;

namespace OrleansEvents.Tests.Cluster;

/// <summary>What nodes count of their streams' comings and goings, in a cluster of the test's own.</summary>
public sealed class CountsTests : IAsyncLifetime
{
    private readonly TwoSilos _cluster = new() { QuickDetection = true };

    public ValueTask InitializeAsync() => _cluster.InitializeAsync();

    public ValueTask DisposeAsync() => _cluster.DisposeAsync();

    [Fact]
    public async Task Only_openings_of_what_another_node_had_are_moves()
    {
        var name = await _cluster.StreamOwnedBy(0);
        (await Given.Publish(_cluster.Node(1), name, 1)).Ok();
        Assert.Equal(0, Sum(ClusterCount.HandedOver));
        await _cluster.MoveTo(1, name);
        Assert.Equal((0, 1), (Counts(0)[ClusterCount.HandedOver], Counts(1)[ClusterCount.HandedOver]));
        // Where it was: it has not moved.
        await _cluster.MoveTo(1, name);
        Assert.Equal(1, Sum(ClusterCount.HandedOver));
        await _cluster.MoveTo(0, name);
        Assert.Equal((1, 1), (Counts(0)[ClusterCount.HandedOver], Counts(1)[ClusterCount.HandedOver]));
        Assert.Equal(0, Sum(ClusterCount.TakenOver));
        Assert.Equal((1, 1), (Left(0, LeavingReason.Moved), Left(1, LeavingReason.Moved)));
        Assert.True(Left(1, LeavingReason.Idle) >= 1);
    }

    private long Left(int silo, LeavingReason why) => Counts(silo).StreamsLeft(why);

    [Fact]
    public async Task A_stream_whose_owner_was_killed_is_taken_over()
    {
        var name = await _cluster.StreamOwnedBy(1);
        (await Given.Publish(_cluster.Node(0), name, 1, critical: true)).Ok();
        await _cluster.Kill(1);
        await Given.Until(async () =>
            (await Given.Publish(_cluster.Node(0), name, 2, critical: true, key: "2")).Refusal is null);
        Assert.Equal((1, 0), (Counts(0)[ClusterCount.TakenOver], Counts(0)[ClusterCount.HandedOver]));
    }

    [Fact]
    public async Task Refusals_by_fencing_are_counted_where_they_happen()
    {
        var name = await _cluster.StreamOwnedBy(1);
        var subscriber = await _cluster.SubscriberOwnedBy(0, name);
        var id = (await Given.Publish(_cluster.Node(0), name, 1, critical: true)).Ok().First.ToString();
        (await _cluster.Node(0).ConfigureSubscriber(name, subscriber, "{}"u8.ToArray(), default)).Ok();

        // Somebody else has its row.
        await _cluster.Rows.OpenSubscriber(name, subscriber, null, 0);
        await _cluster.Through(0).GetGrain<ISubscriberGrain>($"{name}/{subscriber}").Acknowledge([id], null);
        Assert.Equal((1, 0), (Counts(0)[ClusterCount.SubscribersFenced], Counts(1)[ClusterCount.SubscribersFenced]));
        Assert.Equal(0, Sum(ClusterCount.StreamsFenced));

        await _cluster.Log.Open(name, 4711, create: false, 0);
        await _cluster.Through(1).GetGrain<IStreamGrain>(name).Publish(Given.Event(2, critical: true));
        Assert.Equal((0, 1), (Counts(0)[ClusterCount.StreamsFenced], Counts(1)[ClusterCount.StreamsFenced]));
        await Given.Until(() => Task.FromResult(Counts(1).StreamsLeft(LeavingReason.Fenced) == 1));
        // The owner before was no node of these.
        await Given.Until(async () => (await Given.Publish(_cluster.Node(0), name, 3)).Refusal is null);
        Assert.Equal(1, Sum(ClusterCount.TakenOver));
    }

    [Fact]
    public async Task Publishes_are_counted_by_the_node_that_passed_them_on()
    {
        var name = await _cluster.StreamOwnedBy(1);
        for (var n = 0; n < 3; n++) (await Given.Publish(_cluster.Node(0), name, n)).Ok();
        (await Given.Publish(_cluster.Node(1), name, 3)).Ok();
        Assert.Equal(3, Counts(1)[ClusterCount.PublishedElsewhere]);
        Assert.Equal(0, Counts(0)[ClusterCount.PublishedElsewhere]);
        Assert.True(Counts(1)[ClusterCount.PublishedHere] >= 1);
    }

    private ClusterCounts Counts(int silo) => _cluster.Service<ClusterCounts>(silo);

    private long Sum(ClusterCount of) => Counts(0)[of] + Counts(1)[of];
}
