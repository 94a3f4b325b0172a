using OrleansEvents.Grains.Interfaces;
using OrleansEvents.Streams;
using Xunit;

namespace OrleansEvents.Tests.Cluster;

public sealed class LostSubscriberTests
{
    [Theory]
    [InlineData(0, 1)]
    [InlineData(1, 0)]
    [InlineData(1, 1)]
    public async Task When_a_silo_is_killed_no_acknowledged_event_comes_again_and_none_that_is_owed_is_missing(
        int owner, int home)
    {
        await using var cluster = new TwoSilos { QuickDetection = true };
        await cluster.InitializeAsync();
        var stream = await cluster.StreamOwnedBy(owner);
        var name = await cluster.SubscriberOwnedBy(home, stream);
        var grain = cluster.Through(0).GetGrain<IStreamGrain>(stream);
        (await cluster.Node(0).ConfigureSubscriber(stream, name, """{"maxAttempts":50}"""u8.ToArray(), default)).Ok();
        // Every third is acknowledged later only.
        await using var reader = new SubscriberReader(cluster, 0, stream, name,
            each => each.Number % 3 != 0 || each.Attempt > 1);
        using var stop = new CancellationTokenSource();
        var last = 0;
        var publishing = Task.Run(async () =>
        {
            while (!stop.IsCancellationRequested)
            {
                var next = last + 1;
                await Given.Until(() => Published(grain, Given.Event(next, critical: true, key: $"{next}")));
                last = next;
                await Task.Delay(5);
            }
        });
        await reader.Has(40);
        var attempts = reader.Events.Max(each => each.Attempt);

        await cluster.Kill(1);

        var before = last;
        await Given.Until(() => Task.FromResult(last > before + 20));
        await stop.CancelAsync();
        await publishing;
        await reader.Has(last);
        foreach (var each in reader.Events.Where(each => each.Number % 3 == 0).DistinctBy(each => each.Number))
            await cluster.Node(0).Nack(stream, name, new NackRequest([each.Id], null), default);
        await Given.Until(() => Task.FromResult(reader.Acknowledged.Count == last));
        Assert.Empty(reader.Wrong);
        Assert.Equal(Enumerable.Range(1, last), reader.Numbers.Distinct().Order());
        Assert.Equal(0, (await cluster.Node(0).DescribeSubscriber(stream, name)).Ok().Pending);
        Assert.Equal(1, attempts);
        using (var letters = (await cluster.Node(0).DeadLetters(stream, name, 0, 10)).Ok().Events)
            Assert.Equal(0, letters.Count);
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
