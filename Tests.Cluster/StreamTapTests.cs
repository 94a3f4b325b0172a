using OrleansEvents.Grains.Interfaces;
using OrleansEvents.Streams;
using Xunit;
using ErrorCode = OrleansEvents.Streams.ErrorCode;

namespace OrleansEvents.Tests.Cluster;

public sealed class StreamTapTests(TwoSilos cluster)
{
    [Fact]
    public async Task A_tap_on_another_silo_receives_what_is_published_in_order()
    {
        var stream = cluster.Through(0).GetGrain<IStreamGrain>(await cluster.StreamOwnedBy(0));
        (await stream.Configure("""{"buffer":1000}"""u8.ToArray())).Ok();
        (await stream.Publish(Given.Event(0))).Ok();
        var seen = new Collected();
        await using var tap = cluster.Tap(1, stream.GetPrimaryKeyString(), ReadFrom.Buffer, seen);
        await seen.Has(0);
        for (var i = 1; i <= 300; i++) (await stream.Publish(Given.Event(i, critical: i % 50 == 0))).Ok();

        await seen.Has(300);
        Assert.Equal(Enumerable.Range(0, 301), seen.Numbers);
        Assert.Empty(seen.Gaps);
    }

    [Fact]
    public async Task A_tap_reads_on_after_a_missed_push()
    {
        var stream = cluster.Through(0).GetGrain<IStreamGrain>(await cluster.StreamOwnedBy(0));
        (await stream.Publish(Given.Event(0))).Ok();
        var seen = new Collected();
        await using var tap = cluster.Tap(1, stream.GetPrimaryKeyString(), ReadFrom.Buffer, seen);
        await seen.Has(0);
        var pushes = 0;
        cluster.Calls.OnPush(stream.GetPrimaryKeyString(),
            _ => Task.FromResult(Interlocked.Increment(ref pushes) is not (2 or 5 or 6)));
        for (var i = 1; i <= 10; i++)
        {
            var before = Volatile.Read(ref pushes);
            (await stream.Publish(Given.Event(i))).Ok();
            await Given.Until(() => Task.FromResult(Volatile.Read(ref pushes) > before));
        }

        await seen.Has(10);
        Assert.Equal(Enumerable.Range(0, 11), seen.Numbers);
        Assert.Empty(seen.Gaps);
    }

    [Fact]
    public async Task A_tap_whose_last_push_was_lost_finds_it_by_its_renewal()
    {
        var stream = cluster.Through(1).GetGrain<IStreamGrain>(await cluster.StreamOwnedBy(1));
        (await stream.Publish(Given.Event(0))).Ok();
        var seen = new Collected();
        await using var tap = cluster.Tap(0, stream.GetPrimaryKeyString(), ReadFrom.Buffer, seen);
        await seen.Has(0);
        cluster.Calls.OnPush(stream.GetPrimaryKeyString(), _ => Task.FromResult(false));
        (await stream.Publish(Given.Event(1))).Ok();

        await seen.Has(1);
        Assert.Equal([0, 1], seen.Numbers);
    }

    [Fact]
    public async Task A_tap_that_fails_is_left_alone_until_it_renews_and_misses_nothing()
    {
        var stream = cluster.Through(1).GetGrain<IStreamGrain>(await cluster.StreamOwnedBy(1));
        (await stream.Publish(Given.Event(0))).Ok();
        var seen = new Collected();
        await using var tap = cluster.Tap(0, stream.GetPrimaryKeyString(), ReadFrom.Buffer, seen);
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
    public async Task A_tap_that_falls_behind_is_told_how_many_it_missed()
    {
        var stream = cluster.Through(0).GetGrain<IStreamGrain>(await cluster.StreamOwnedBy(0));
        (await stream.Configure("""{"buffer":10,"bufferBytes":4096}"""u8.ToArray())).Ok();
        (await stream.Publish(Given.Event(0))).Ok();
        var seen = new Collected();
        await using var tap = cluster.Tap(1, stream.GetPrimaryKeyString(), ReadFrom.Buffer, seen);
        await seen.Has(0);
        var release = new TaskCompletionSource<bool>();
        cluster.Calls.OnPush(stream.GetPrimaryKeyString(), _ => release.Task);
        for (var i = 1; i <= 200; i++) (await stream.Publish(Given.Event(i))).Ok();
        release.SetResult(true);

        await seen.Has(200);
        Assert.Equal(seen.Numbers.Order().Distinct(), seen.Numbers);
        Assert.Equal(GapReason.Evicted, seen.Gaps[0].Reason);
        Assert.Equal(201, seen.Numbers.Length + seen.Gaps.Sum(gap => gap.Missed));
    }

    [Fact]
    public async Task A_tap_follows_its_stream_from_owner_to_owner()
    {
        var name = await cluster.StreamOwnedBy(0);
        var stream = cluster.Through(0).GetGrain<IStreamGrain>(name);
        (await stream.Publish(Given.Event(0))).Ok();
        var seen = new Collected();
        await using var tap = cluster.Tap(1, name, ReadFrom.Buffer, seen);
        await seen.Has(0);
        for (var i = 1; i <= 30; i++)
        {
            if (i % 10 == 0) await cluster.Deactivate(name);
            (await stream.Publish(Given.Event(i))).Ok();
        }

        await seen.Has(30);
        Assert.Equal(Enumerable.Range(0, 31), seen.Numbers);
        Assert.Empty(seen.Gaps);
    }

    [Theory]
    [InlineData(ReadFromKind.Head)]
    [InlineData(ReadFromKind.Buffer)]
    public async Task A_tap_waits_for_a_stream_that_does_not_exist_and_gets_its_first_event(ReadFromKind from)
    {
        var name = await cluster.StreamOwnedBy(1);
        var stream = cluster.Through(1).GetGrain<IStreamGrain>(name);
        var seen = new Collected();
        await using var tap = cluster.Tap(0, name, new ReadFrom(from), seen);
        await Given.Until(() => Task.FromResult(cluster.Calls.Renewals(name) > 0));
        (await stream.Publish(Given.Event(1))).Ok();
        (await stream.Publish(Given.Event(2))).Ok();

        await seen.Has(2);
        Assert.Equal([1, 2], seen.Numbers);
        Assert.Empty(seen.Gaps);
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
    public async Task A_disposed_tap_is_forgotten_at_once()
    {
        var stream = cluster.Through(0).GetGrain<IStreamGrain>(await cluster.StreamOwnedBy(1));
        (await stream.Publish(Given.Event(0))).Ok();
        var seen = new Collected();
        await using (cluster.Tap(0, stream.GetPrimaryKeyString(), ReadFrom.Buffer, seen)) await seen.Has(0);
        Assert.Equal(0, (await stream.Describe()).Ok().Taps);
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

    private sealed class DeafTap : IStreamTap
    {
        public Task Push(TapPush push) => Task.CompletedTask;
    }
}
