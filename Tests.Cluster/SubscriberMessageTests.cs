using System.Text;
using OrleansEvents.Grains.Interfaces;
using OrleansEvents.Streams;
using Xunit;
using ErrorCode = OrleansEvents.Streams.ErrorCode;

namespace OrleansEvents.Tests.Cluster;

/// <summary>What one message between a stream's owner and a subscriber does that is lost or late.</summary>
public sealed class SubscriberMessageTests(TwoSilos cluster)
{
    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    [InlineData(true, true)]
    public async Task A_subscriber_that_misses_that_its_stream_was_deleted_is_gone_with_it(bool isMadeAgain,
        bool isUsed)
    {
        var (stream, name) = await Make(0, 1);
        await Publish(stream, 1);
        await using var reader = new SubscriberReader(cluster, 1, stream, name);
        var given = await reader.Has(1);
        cluster.Calls.OnCall(stream, static method =>
            method == nameof(ISubscriberGrain.Orphan) ? Fate.IsLost : Fate.Passes);
        (await Grain(stream).Delete()).Ok();
        if (isMadeAgain) await Publish(stream, 2);

        // What it would save finds no row; else its next report finds no such stream.
        if (isUsed)
            Assert.NotNull((await cluster.Node(1).Acknowledge(stream, name, new AckRequest([given.Id], null), default))
                .Refusal);
        await Given.Until(async () => (await cluster.Node(0).DescribeSubscriber(stream, name)).Refusal
            is { Code: ErrorCode.NotFound });
        await Given.Until(() => Task.FromResult(reader.Session!.IsOver));

        // Nor is anything of it found by whoever comes next under its name.
        if (!isMadeAgain) await Publish(stream, 2);
        Assert.Empty((await cluster.Node(1).Subscribers(stream)).Ok());
        await Configure(stream, name, "{}");
        var described = (await cluster.Node(0).DescribeSubscriber(stream, name)).Ok();
        Assert.Equal((1, 0L, 0L), (described.Pending, described.Counts.Succeeded, described.Counts.Retried));
    }

    [Fact]
    public async Task A_report_that_comes_late_does_not_take_back_what_a_later_one_has_said()
    {
        var (stream, name) = await Make(0, 1);
        await Configure(stream, name, """{"overflow":"block","maxPending":1}""");
        var reports = 0;
        cluster.Calls.OnCall(stream, method => method == nameof(IOwingStreamGrain.Report)
            && Interlocked.Increment(ref reports) == 1 ? Fate.IsLate : Fate.Passes);
        await Publish(stream, 1);
        await Given.Until(() => Task.FromResult(Volatile.Read(ref reports) > 0));
        await Configure(stream, name, """{"overflow":"lapse"}""");
        // Longer than it is late.
        for (var i = 2; i < 40; i++)
        {
            await Publish(stream, i);
            await Task.Delay(5);
        }
    }

    [Fact]
    public async Task What_was_published_before_is_known_when_a_subscriber_is_looked_at_though_it_was_not_told_yet()
    {
        var (stream, name) = await Make(1, 0);
        await Configure(stream, name, "{}");
        cluster.Calls.OnCall(stream, static method =>
            method == nameof(ISubscriberGrain.Follow) ? Fate.IsLate : Fate.Passes);
        for (var i = 1; i <= 9; i += 2)
        {
            await Publish(stream, i);
            Assert.Equal(i, (await cluster.Node(0).DescribeSubscriber(stream, name)).Ok().Pending);
            await Publish(stream, i + 1);
            var pending = (await cluster.Node(1).Pending(stream, name, 0, 100)).Ok();
            using (pending.Events) Assert.Equal(i + 1, pending.Events.Count);
        }
    }

    private IStreamGrain Grain(string stream) => cluster.Through(0).GetGrain<IStreamGrain>(stream);

    private async Task<(string Stream, string Name)> Make(int owner, int home)
    {
        var stream = await cluster.StreamOwnedBy(owner);
        return (stream, await cluster.SubscriberOwnedBy(home, stream));
    }

    private async Task Publish(string stream, int number) =>
        (await Grain(stream).Publish(Given.Event(number, critical: true))).Ok();

    private async Task Configure(string stream, string name, string json) =>
        (await cluster.Node(0).ConfigureSubscriber(stream, name, Encoding.UTF8.GetBytes(json), default)).Ok();
}
