using OrleansEvents.Grains.Interfaces;
using OrleansEvents.Streams;
using Xunit;

namespace OrleansEvents.Tests.Cluster;

public sealed class LostSiloTests
{
    [Fact]
    public async Task When_the_owner_s_silo_is_killed_no_critical_event_is_lost_and_readers_follow()
    {
        await using var cluster = new TwoSilos { QuickDetection = true };
        await cluster.InitializeAsync();
        // The first silo stays: it is the one that others are asked through.
        var name = await cluster.StreamOwnedBy(1);
        var stream = cluster.Through(0).GetGrain<IStreamGrain>(name);
        using var seen = await FeedFollower.On(cluster.Node(0), name, ReadFrom.Buffer);
        for (var i = 1; i <= 20; i++) (await stream.Publish(Given.Event(i, critical: true, key: $"{i}"))).Ok();
        await seen.Has(20);

        await cluster.Kill(1);

        await Given.Until(async () => await Published(stream, Given.Event(21, critical: true, key: "21")));
        Assert.Equal(Enumerable.Range(1, 21), (await stream.ReadAll(ReadFrom.Beginning)).Numbers);
        Assert.Equal(1, (await stream.Publish(Given.Event(20, critical: true, key: "20"))).Ok().Published.Duplicates);
        await seen.Has(21);
        Assert.Equal(Enumerable.Range(1, 21), seen.Numbers);
    }

    private static async Task<bool> Published(IStreamGrain stream, NewEvent @event)
    {
        try
        {
            return (await stream.Publish(@event)).Refusal is null;
        }
        catch (Exception e) when (e is OrleansException or TimeoutException)
        {
            return false;
        }
    }
}
