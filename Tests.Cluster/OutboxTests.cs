using OrleansEvents.Grains.Interfaces;
using OrleansEvents.Streams;
using Xunit;

namespace OrleansEvents.Tests.Cluster;

/// <summary>What a node's publishers send to an owner on another node.</summary>
public sealed class OutboxTests(TwoSilos cluster)
{
    private const int Publishers = 50;

    [Fact]
    public async Task Small_publishes_are_spread_over_two_calls_while_they_are_under_way_and_meet_in_the_next()
    {
        var name = await cluster.StreamOwnedBy(1);
        (await Given.Publish(cluster.Node(0), name, 0)).Ok();
        var (calls, passes) = (0, new TaskCompletionSource());
        cluster.Calls.OnOwner(name, method =>
        {
            if (method == nameof(IStreamGrain.PublishAll)) Interlocked.Increment(ref calls);
            return passes.Task;
        });
        var publishing = Enumerable.Range(1, Publishers).Select(i =>
            Given.Publish(cluster.Node(0), name, i, critical: true).AsTask()).ToArray();
        await Given.Until(() => Task.FromResult(Volatile.Read(ref calls) > 0));
        passes.SetResult();

        foreach (var each in await Task.WhenAll(publishing)) each.Ok();
        Assert.InRange(calls, 1, 3);
        Assert.Equal(Enumerable.Range(0, Publishers + 1), await Published(name));
    }

    [Fact]
    public async Task Publishes_of_one_call_whose_answer_is_lost_are_each_answered_and_doubled_nowhere()
    {
        var name = await cluster.StreamOwnedBy(1);
        (await Given.Publish(cluster.Node(0), name, 0)).Ok();
        var lost = 0;
        cluster.Calls.AfterPublish(name, () => Interlocked.Increment(ref lost) % 2 == 1
            ? throw new SiloUnavailableException("the answer is lost") : Task.CompletedTask);
        var publishing = Enumerable.Range(1, Publishers).Select(i =>
            Given.Publish(cluster.Node(0), name, i, critical: true).AsTask()).ToArray();

        var first = (await Task.WhenAll(publishing)).Select(each => each.Ok().First.Seq);
        Assert.Equal(Publishers, first.Distinct().Count());
        Assert.Equal(Enumerable.Range(0, Publishers + 1), await Published(name));
    }

    /// <summary>Calls that are under way together may come in any order.</summary>
    private async Task<IEnumerable<int>> Published(string stream) =>
        (await cluster.Through(0).GetGrain<IStreamGrain>(stream).ReadAll(ReadFrom.Beginning)).Numbers.Order();
}
