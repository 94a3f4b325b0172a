using OrleansEvents.Grains;
using OrleansEvents.Streams;
using Xunit;

namespace OrleansEvents.Tests.Cluster;

/// <summary>A silo's streams go to the others before it stops.</summary>
public sealed class HandOverTests : IAsyncLifetime
{
    private readonly TwoSilos _cluster = new();

    public ValueTask InitializeAsync() => _cluster.InitializeAsync();

    public ValueTask DisposeAsync() => _cluster.DisposeAsync();

    [Fact]
    public async Task Streams_that_are_handed_over_go_on_elsewhere_without_a_gap()
    {
        const int Streams = 40;
        var names = new List<string>();
        while (names.Count < Streams) names.Add(await _cluster.StreamOwnedBy(0));
        (await _cluster.Node(0).Configure(names[0], """{"buffer":100000}"""u8.ToArray(), CancellationToken.None)).Ok();
        // Ordinary events: only a graceful move keeps them.
        foreach (var name in names) (await Given.Publish(_cluster.Node(1), name, 1)).Ok();
        using var here = await FeedFollower.On(_cluster.Node(0), names[0], ReadFrom.Beginning);
        using var there = await FeedFollower.On(_cluster.Node(1), names[0], ReadFrom.Beginning);

        var moving = _cluster.Service<HandOver>(0).Run(TwoSilos.Limit);
        var last = 1;
        do (await Given.Publish(_cluster.Node(last % 2), names[0], ++last, critical: true)).Ok();
        while (!moving.IsCompleted);
        await moving;

        Assert.Equal(0, _cluster.Service<OwnedStreams>(0).Count);
        foreach (var name in names)
        {
            Assert.Equal(_cluster.AddressOf(1), await _cluster.OwnerOf(name));
            using var reader = await FeedFollower.On(_cluster.Node(0), name, ReadFrom.Beginning);
            await reader.Has(1);
            Assert.Empty(reader.Gaps);
        }
        foreach (var reader in new[] { here, there })
        {
            await reader.Has(last);
            Assert.Equal(Enumerable.Range(1, last), reader.Numbers);
            Assert.Empty(reader.Gaps);
        }
    }

    [Fact]
    public async Task A_stream_that_was_handed_over_is_open_before_it_is_asked_for()
    {
        var name = await _cluster.StreamOwnedBy(0);
        (await Given.Publish(_cluster.Node(0), name, 1)).Ok();

        await _cluster.Service<HandOver>(0).Run(TwoSilos.Limit);

        var there = _cluster.Service<OwnedStreams>(1);
        await Given.Until(async () => (await there.Owned([name])).Length == 1);
    }

    [Fact]
    public async Task A_stream_that_leaves_while_it_is_being_opened_takes_its_events_along()
    {
        var name = await _cluster.StreamOwnedBy(0);
        (await Given.Publish(_cluster.Node(0), name, 1)).Ok();
        var opens = new TaskCompletionSource();
        var isOpening = _cluster.Storage.HoldOpening(name, opens.Task);
        await _cluster.Service<HandOver>(0).Run(TwoSilos.Limit);
        await isOpening;

        await _cluster.Deactivate(name);
        // It might leave at once; there is no end to waiting that it does not.
        await Task.WhenAny(Given.Until(async () => await _cluster.OwnerOf(name) is null), Task.Delay(500));
        opens.SetResult();

        using var reader = await FeedFollower.On(_cluster.Node(0), name, ReadFrom.Beginning);
        await reader.Has(1);
        Assert.Empty(reader.Gaps);
    }
}
