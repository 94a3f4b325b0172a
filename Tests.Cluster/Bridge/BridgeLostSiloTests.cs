using OrleansEvents.Grains.Interfaces;
using OrleansEvents.Streams;
using Xunit;
using static OrleansEvents.Tests.Cluster.Bridge.FollowerGrains;

namespace OrleansEvents.Tests.Cluster.Bridge;

public sealed class BridgeLostSiloTests
{
    [Fact]
    public async Task Followers_lose_nothing_that_is_durable_when_a_silo_dies()
    {
        await using var cluster = new TwoSilos { QuickDetection = true };
        await cluster.InitializeAsync();
        // On several queues: some of their agents die with the silo.
        var followed = new List<(string Stream, IFollowerGrain Grain)>();
        for (var i = 0; i < 6; i++)
        {
            var name = await cluster.StreamOwnedBy(i % 2);
            (await cluster.Node(0).Configure(name, """{"durable":true}"""u8.ToArray(), default)).Ok();
            var grain = await cluster.FollowerOn(0, name);
            await grain.Follow(null);
            followed.Add((name, grain));
        }
        for (var n = 1; n <= 10; n++)
            foreach (var (name, _) in followed) (await Given.Publish(cluster.Node(0), name, n)).Ok();
        foreach (var (_, grain) in followed) await grain.Has(10);

        await cluster.Kill(1);

        for (var n = 11; n <= 20; n++)
            foreach (var (_, grain) in followed)
                await Given.Until(() => Published(grain, n));
        foreach (var (_, grain) in followed)
        {
            await grain.Has(20);
            Assert.Equal(Enumerable.Range(1, 20), (await grain.Numbers()).Distinct());
            Assert.Empty(await grain.Gaps());
        }
    }

    private static async Task<bool> Published(IFollowerGrain grain, int n)
    {
        try
        {
            await grain.Publish(Note(n, key: $"{n}"));
            return true;
        }
        catch (Exception e) when (e is EventRefusedException { Refusal.Code: Streams.ErrorCode.StoreUnavailable }
            or OrleansException or TimeoutException)
        {
            return false;
        }
    }
}
