using OrleansEvents.Grains.Interfaces;
using OrleansEvents.Streams;
using Xunit;

namespace OrleansEvents.Tests.Cluster;

/// <summary>What a node knows of how far its copies are behind.</summary>
public sealed class TapLagTests : IAsyncLifetime
{
    private readonly TwoSilos _cluster = new();

    public ValueTask InitializeAsync() => _cluster.InitializeAsync();

    public ValueTask DisposeAsync() => _cluster.DisposeAsync();

    [Fact]
    public async Task A_copy_that_is_not_pushed_to_is_behind_until_it_has_caught_up()
    {
        var name = await _cluster.StreamOwnedBy(1);
        var node = _cluster.Node(0);
        (await Given.Publish(node, name, 1)).Ok();
        using var reader = await FeedFollower.On(node, name, ReadFrom.Beginning);
        await reader.Has(1);
        Assert.Equal((1, 1), (node.Followed, Counts(1)[ClusterCount.TapsOfOwner]));
        var passes = false;
        _cluster.Calls.OnPush(name, _ => Task.FromResult(Volatile.Read(ref passes)));
        var (n, lag) = (1, default(TapLag));
        // It hears of the head when it renews, and reads what it missed when it renews again.
        await Given.Until(async () =>
        {
            (await Given.Publish(node, name, ++n)).Ok();
            lag = TapLag.Max(lag, node.WorstLag);
            return lag is { Events: > 0, Ms: > 0 };
        });
        Volatile.Write(ref passes, true);

        (await Given.Publish(node, name, ++n)).Ok();
        await reader.Has(n);
        await Given.Until(() => Task.FromResult(node.WorstLag == default));
        Assert.Equal(Enumerable.Range(1, n), reader.Numbers);
        Assert.True(Counts(0)[ClusterCount.PushesMissed] > 0);
        Assert.Equal(0, Counts(0)[ClusterCount.TapsReattached]);
    }

    [Fact]
    public async Task A_copy_without_an_answer_of_its_owner_is_behind_in_time()
    {
        var name = await _cluster.StreamOwnedBy(1);
        var node = _cluster.Node(0);
        (await Given.Publish(node, name, 1)).Ok();
        using var reader = await FeedFollower.On(node, name, ReadFrom.Beginning);
        await reader.Has(1);
        var answers = new TaskCompletionSource();
        _cluster.Calls.AfterWatch(name, () => answers.Task);
        await Given.Until(() => Task.FromResult(node.WorstLag.Ms > 0));
        Assert.Equal(0, node.WorstLag.Events);
        answers.SetResult();
        await Given.Until(() => Task.FromResult(node.WorstLag == default));
    }

    [Fact]
    public async Task A_copy_that_finds_its_stream_opened_again_is_counted()
    {
        var name = await _cluster.StreamOwnedBy(1);
        var node = _cluster.Node(0);
        (await Given.Publish(node, name, 1)).Ok();
        using var reader = await FeedFollower.On(node, name, ReadFrom.Beginning);
        await reader.Has(1);
        await _cluster.Deactivate(name);
        await Given.Until(async () => (await Given.Publish(node, name, 2)).Refusal is null);
        await reader.Has(2);
        await Given.Until(() => Task.FromResult(Counts(0)[ClusterCount.TapsReattached] == 1));
        Assert.Equal(1, Counts(0)[ClusterCount.TapsOfOwner] + Counts(1)[ClusterCount.TapsOfOwner]);
    }

    private ClusterCounts Counts(int silo) => _cluster.Service<ClusterCounts>(silo);
}
