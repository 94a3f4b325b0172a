using OrleansEvents.Grains.Interfaces;
using OrleansEvents.Streams;
using Xunit;
using ErrorCode = OrleansEvents.Streams.ErrorCode;

namespace OrleansEvents.Tests.Cluster;

public sealed class StreamTapTests(TwoSilos cluster)
{
    [Fact]
    public async Task A_tap_that_fails_is_left_alone_until_it_renews_and_misses_nothing()
    {
        var stream = cluster.Through(1).GetGrain<IStreamGrain>(await cluster.StreamOwnedBy(1));
        (await stream.Publish(Given.Event(0))).Ok();
        using var seen = await FeedFollower.On(cluster.Node(0), stream.GetPrimaryKeyString(), ReadFrom.Buffer);
        await seen.Has(0);
        var pushes = 0;
        cluster.Calls.OnPush(stream.GetPrimaryKeyString(), _ => Interlocked.Increment(ref pushes) == 1
            ? throw new TimeoutException("the tap's node does not answer")
            : Task.FromResult(true));
        for (var i = 1; i <= 20; i++) (await stream.Publish(Given.Event(i))).Ok();

        await seen.Has(20);
        Assert.Equal(Enumerable.Range(0, 21), seen.Numbers);
    }

    [Fact]
    public async Task A_tap_that_is_not_renewed_is_forgotten()
    {
        var stream = cluster.Through(0).GetGrain<IStreamGrain>(await cluster.StreamOwnedBy(1));
        (await stream.Publish(Given.Event(0))).Ok();
        var deaf = new DeafTap();
        var reference = cluster.Through(0).CreateObjectReference<IStreamTap>(deaf);
        Assert.Equal((await stream.Describe()).Ok().Head, (await stream.Watch(reference, 0)).Ok().Head);
        await Given.Until(async () =>
        {
            (await stream.Watch(reference, 0)).Ok();
            return (await stream.Describe()).Ok().Taps == 1;
        });

        await Given.Until(async () => (await stream.Describe()).Ok().Taps == 0);
        GC.KeepAlive(deaf);
    }

    [Fact]
    public async Task A_stream_has_so_many_taps_and_no_more()
    {
        var stream = cluster.Through(0).GetGrain<IStreamGrain>(await cluster.StreamOwnedBy(0));
        var taps = Enumerable.Range(0, 4).Select(_ => new DeafTap()).ToList();
        var references = taps.ConvertAll(tap => cluster.Through(1).CreateObjectReference<IStreamTap>(tap));
        // Again if the machine stood still for as long as a lease.
        await Given.Until(async () =>
        {
            await stream.Unwatch(references[3]);
            foreach (var reference in references[..3]) (await stream.Watch(reference, 0)).Ok();
            return (await stream.Watch(references[3], 0)).Refusal is { Code: ErrorCode.RateLimited };
        });
        await stream.Unwatch(references[0]);
        (await stream.Watch(references[3], 0)).Ok();
        GC.KeepAlive(taps);
    }

    [Fact]
    public async Task A_tap_of_the_version_before_is_pushed_frames_that_it_reads()
    {
        var stream = cluster.Through(0).GetGrain<IStreamGrain>(await cluster.StreamOwnedBy(1));
        (await stream.Publish(Given.Event(0))).Ok();
        var (old, now) = (new NotingTap(), new NotingTap());
        var (before, today) = (cluster.Through(0).CreateObjectReference<IStreamTap>(old),
            cluster.Through(0).CreateObjectReference<IStreamTap>(now));
        (await stream.Watch(before, 0)).Ok();
        (await stream.Watch(today, 0, dense: true)).Ok();
        (await stream.Publish(Given.Event(1))).Ok();

        await Given.Until(() => Task.FromResult(!old.Pushes.IsEmpty && !now.Pushes.IsEmpty));
        Assert.All(old.Pushes, push => Assert.True(push.Dense is null && push.Events.Count > 0));
        Assert.All(now.Pushes, push => Assert.True(push.Dense is not null && push.Events.Count == 0));
        var position = (await stream.Describe()).Ok().Head with { Seq = 0 };
        Assert.Null((await stream.Fill(position, 1000)).Ok().Dense);
        using (var olds = (await stream.Fill(position, 1000)).Ok().All())
        using (var news = (await stream.Fill(position, 1000, dense: true)).Ok().All())
            Assert.Equal(olds.Frames.ToArray(), news.Frames.ToArray());
        await stream.Unwatch(before);
        await stream.Unwatch(today);
        GC.KeepAlive((old, now));
    }

    private sealed class NotingTap : IStreamTap
    {
        public System.Collections.Concurrent.ConcurrentQueue<TapPush> Pushes { get; } = new();

        public Task Push(TapPush push)
        {
            Pushes.Enqueue(push);
            return Task.CompletedTask;
        }
    }

    private sealed class DeafTap : IStreamTap
    {
        public Task Push(TapPush push) => Task.CompletedTask;
    }
}
