using OrleansEvents.Grains.Interfaces;
using OrleansEvents.Streams;
using Xunit;
using ErrorCode = OrleansEvents.Streams.ErrorCode;

namespace OrleansEvents.Tests.Cluster;

/// <summary>What nodes do while the silo that owns their streams dies.</summary>
public sealed class LostOwnerTests
{
    [Fact]
    public async Task Readers_stay_and_are_told_a_gap_only_where_ordinary_events_died()
    {
        await using var cluster = new TwoSilos { QuickDetection = true };
        await cluster.InitializeAsync();
        var (ordinary, durable) = (await cluster.StreamOwnedBy(1), await cluster.StreamOwnedBy(1));
        var node = cluster.Node(0);
        (await node.Configure(durable, """{"durable":true}"""u8.ToArray(), default)).Ok();
        foreach (var name in new[] { ordinary, durable })
            for (var i = 1; i <= 10; i++) (await Given.Publish(node, name, i, critical: i == 5 ? true : null)).Ok();
        using var reader = await FeedFollower.On(node, ordinary, ReadFrom.Beginning);
        using var whole = await FeedFollower.On(node, durable, ReadFrom.Beginning);
        await reader.Has(10);
        await whole.Has(10);

        await cluster.Kill(1);

        // Answered by the next owner, after a while and without the publisher's doing.
        await Given.Until(async () => (await Given.Publish(node, ordinary, 11, key: "11")).Refusal is null);
        (await Given.Publish(node, durable, 11)).Ok();
        await reader.Has(11);
        await whole.Has(11);
        Assert.Equal(Enumerable.Range(1, 11), reader.Numbers);
        Assert.Equal([GapReason.Restart], reader.Gaps);
        Assert.Equal(Enumerable.Range(1, 11), whole.Numbers);
        Assert.Empty(whole.Gaps);
        // Who comes now finds what the next owner has: of the ordinary stream, what was critical.
        using var later = await FeedFollower.On(node, ordinary, ReadFrom.Buffer);
        Assert.Same(reader.Feed, later.Feed);
        Assert.Equal([5, 11], later.Numbers);
    }

    [Fact]
    public async Task Publishers_without_keys_are_repeated_and_double_nothing()
    {
        await using var cluster = new TwoSilos { QuickDetection = true };
        await cluster.InitializeAsync();
        var name = await cluster.StreamOwnedBy(1);
        var node = cluster.Node(0);
        (await node.Configure(name, """{"durable":true,"buffer":100000}"""u8.ToArray(), default)).Ok();
        var (next, acknowledged) = (0, new System.Collections.Concurrent.ConcurrentBag<int>());
        using var stop = new CancellationTokenSource();
        var publishers = Enumerable.Range(0, 20).Select(_ => Task.Run(async () =>
        {
            while (!stop.IsCancellationRequested)
            {
                var number = Interlocked.Increment(ref next);
                if ((await Given.Publish(node, name, number)).Refusal is null) acknowledged.Add(number);
            }
        })).ToArray();
        await Given.Until(() => Task.FromResult(acknowledged.Count > 100));

        await cluster.Kill(1);

        var before = acknowledged.Count;
        await Given.Until(() => Task.FromResult(acknowledged.Count > before + 500));
        await stop.CancelAsync();
        await Task.WhenAll(publishers);
        var found = (await cluster.Through(0).GetGrain<IStreamGrain>(name).ReadAll(ReadFrom.Beginning)).Numbers;
        Assert.Equal(found.Distinct().Order(), found.Order());
        Assert.Empty(acknowledged.Except(found));
        // Nobody was refused: all were repeated until the next owner had them.
        Assert.Equal(next, acknowledged.Count);
    }

    [Fact]
    public async Task An_ordinary_publish_whose_outcome_nobody_knows_is_refused_and_not_repeated()
    {
        await using var cluster = new TwoSilos();
        await cluster.InitializeAsync();
        var name = await cluster.StreamOwnedBy(1);
        var node = cluster.Node(0);
        (await Given.Publish(node, name, 1)).Ok();
        var lost = 0;
        cluster.Calls.AfterPublish(name, () => Interlocked.Increment(ref lost) <= 2
            ? throw new SiloUnavailableException("the answer is lost") : Task.CompletedTask);

        Assert.Equal(ErrorCode.StoreUnavailable, (await Given.Publish(node, name, 2)).Refusal!.Value.Code);
        Volatile.Write(ref lost, 0);
        // With a key, or durable, it is known again.
        Assert.Equal(1, (await Given.Publish(node, name, 3, key: "k")).Ok().Duplicates);
        Volatile.Write(ref lost, 0);
        Assert.Equal((1, 0), (await Given.Publish(node, name, 4, critical: true)).Ok() is var known
            ? (known.Count, known.Duplicates) : default);
        Assert.Equal([1, 2, 3, 4],
            (await cluster.Through(0).GetGrain<IStreamGrain>(name).ReadAll(ReadFrom.Beginning)).Numbers);
    }
}
