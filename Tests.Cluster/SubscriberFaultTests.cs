using System.Collections.Concurrent;
using OrleansEvents.Grains.Interfaces;
using OrleansEvents.Streams;
using Xunit;

namespace OrleansEvents.Tests.Cluster;

public sealed class SubscriberFaultTests(TwoSilos cluster)
{
    [Theory]
    [InlineData(1, false)]
    [InlineData(2, true)]
    [InlineData(3, false)]
    [InlineData(4, true)]
    [InlineData(5, false)]
    [InlineData(6, true)]
    public async Task Messages_may_be_lost_repeated_or_late_and_every_event_comes_and_no_acknowledged_one_again(
        int seed, bool competes)
    {
        var (owner, home) = (seed % 2, seed / 2 % 2);
        var stream = await cluster.StreamOwnedBy(owner);
        var name = await cluster.SubscriberOwnedBy(home, stream);
        var grain = cluster.Through(0).GetGrain<IStreamGrain>(stream);
        var policy = competes ? """{"mode":"compete","maxAttempts":50,"ackWait":2,"backoff":[0.05]}"""
            : """{"maxAttempts":50,"ackWait":2,"backoff":[0.05],"maxInFlight":20}""";
        (await cluster.Node(0).ConfigureSubscriber(stream, name, System.Text.Encoding.UTF8.GetBytes(policy), default))
            .Ok();
        var random = new Random(seed);
        var fates = new ConcurrentDictionary<Fate, int>();
        cluster.Calls.OnCall(stream, _ =>
        {
            int dice;
            lock (random) dice = random.Next(100);
            var fate = dice switch
            {
                < 6 => Fate.IsLost,
                < 12 => Fate.AnswerIsLost,
                < 18 => Fate.ComesTwice,
                < 26 => Fate.IsLate,
                _ => Fate.Passes,
            };
            fates.AddOrUpdate(fate, 1, static (_, count) => count + 1);
            return fate;
        });

        await using var one = new SubscriberReader(cluster, 0, stream, name, each => each.Number % 4 > 0
            || each.Attempt > 1);
        await using var two = new SubscriberReader(cluster, 1, stream, name, each => each.Number % 4 > 0
            || each.Attempt > 1);
        for (var i = 1; i <= 150; i++)
        {
            (await grain.Publish(Given.Event(i, critical: true))).Ok();
            if (i % 10 == 0) await Task.Delay(20);
            if (i == 70) await cluster.DeactivateSubscriber(stream, name);
            if (i == 110) await cluster.Deactivate(stream);
        }
        await Given.Until(async () => (await cluster.Node(0).DescribeSubscriber(stream, name)).Value
            is { Pending: 0, Counts.Succeeded: >= 150 });

        cluster.Calls.OnCall(stream, static _ => Fate.Passes);
        Assert.Equal(Enumerable.Range(1, 150), one.Numbers.Concat(two.Numbers).Distinct().Order());
        Assert.Empty(one.Wrong);
        Assert.Empty(two.Wrong);
        Assert.Equal(5, fates.Count);
        await Given.Until(async () => (await grain.Describe()).Ok().StoredEvents == 0);
    }
}
