using OrleansEvents.Streams;
using Xunit;

namespace OrleansEvents.Tests.Storage;

public abstract partial class EventLogContract
{
    [Fact]
    public async Task Appended_events_are_read_in_order_as_they_were_written()
    {
        var opened = await Open();
        await Append(opened.Handle, 1, 2, 3);
        using (var one = TestRuns.Of(5, 6))
        using (var other = TestRuns.Of(9))
            await Log.Append(opened.Handle, [one, other], []);

        Assert.Equal([1, 2, 3, 5, 6, 9], await Stored(opened.Handle.Id));
        Assert.Equal([3, 5, 6, 9], await Stored(opened.Handle.Id, after: 2));
        Assert.Equal([9], await Stored(opened.Handle.Id, after: 7));
        Assert.Empty(await Stored(opened.Handle.Id, after: 9));
        Assert.Empty(await Stored(opened.Handle.Id + 1));
    }

    [Fact]
    public async Task Slots_come_back_as_they_were()
    {
        var opened = await Open();
        using (var run = TestRuns.Critical(8)) await Log.Append(opened.Handle, [run], []);
        using var read = await Log.Read(opened.Handle.Id, 0, 1, 1);

        var slot = read.Slots[0];
        Assert.True(slot.Critical);
        Assert.Equal(TestRuns.AppendedMs(8), slot.AppendedMs);
        Assert.Equal((40, 4, 50, 8), (slot.TypeStart, slot.TypeLength, slot.DataStart, slot.DataLength));
    }

    [Fact]
    public async Task Reading_stops_at_its_bounds_but_gives_at_least_one_event()
    {
        var opened = await Open();
        await Append(opened.Handle, 1, 2, 3);
        await Append(opened.Handle, 4, 5);

        Assert.Equal([1, 2, 3, 4], await Read(after: 0, events: 4, int.MaxValue));
        Assert.Equal([2, 3], await Read(after: 1, events: 2, int.MaxValue));
        Assert.Equal([1, 2], await Read(after: 0, events: 9, TestRuns.FrameBytes * 3 - 1));
        Assert.Equal([3, 4], await Read(after: 2, events: 9, TestRuns.FrameBytes * 2));
        Assert.Equal([4], await Read(after: 3, events: 9, bytes: 1));

        async Task<IReadOnlyList<long>> Read(long after, int events, int bytes)
        {
            using var run = await Log.Read(opened.Handle.Id, after, events, bytes);
            Assert.True(TestRuns.FramesAreRight(run));
            return TestRuns.Seqs(run);
        }
    }

    [Fact]
    public async Task The_newest_events_are_read_in_order_within_their_bounds()
    {
        var opened = await Open();
        await Append(opened.Handle, 1, 2, 3);
        await Append(opened.Handle, 7, 8);

        Assert.Equal([1, 2, 3, 7, 8], await Newest(events: 9, int.MaxValue));
        Assert.Equal([3, 7, 8], await Newest(events: 3, int.MaxValue));
        Assert.Equal([7, 8], await Newest(events: 2, int.MaxValue));
        Assert.Equal([8], await Newest(events: 9, TestRuns.FrameBytes * 2 - 1));
        Assert.Equal([2, 3, 7, 8], await Newest(events: 9, TestRuns.FrameBytes * 4));
        Assert.Empty(await Newest(events: 0, int.MaxValue));

        async Task<IReadOnlyList<long>> Newest(int events, int bytes)
        {
            using var run = await Log.ReadNewest(opened.Handle.Id, events, bytes);
            Assert.True(TestRuns.FramesAreRight(run));
            return TestRuns.Seqs(run);
        }
    }

    [Fact]
    public async Task Numbers_of_critical_events_are_found_among_the_others()
    {
        var opened = await Open();
        await Append(opened.Handle, 1, 2);
        using (var alone = TestRuns.Critical(3)) await Log.Append(opened.Handle, [alone], []);
        using (var mixed = TestRuns.Critical(4, 5))
        {
            TestRuns.Add(mixed, 6, critical: false);
            TestRuns.Add(mixed, 7, critical: true);
            await Log.Append(opened.Handle, [mixed], []);
        }
        Assert.Equal([3, 4, 5, 7], await Critical(opened.Handle.Id, 0));
        Assert.Equal([5, 7], await Critical(opened.Handle.Id, 4));
        Assert.Empty(await Critical(opened.Handle.Id, 7));
    }

    [Fact]
    public async Task Numbers_that_do_not_rise_are_refused_whole()
    {
        var opened = await Open();
        await Append(opened.Handle, 1, 2, 3);
        using var good = TestRuns.Of(4);
        using var bad = TestRuns.Of(3);

        await Assert.ThrowsAsync<InvalidOperationException>(() => Log.Append(opened.Handle, [bad], []));
        await Assert.ThrowsAsync<InvalidOperationException>(
            () => Log.Append(opened.Handle, [good, bad], [Key("k", 4)]));
        Assert.Equal([1, 2, 3], await Stored(opened.Handle.Id));
        Assert.Empty((await Open()).Keys);
    }

    [Fact]
    public async Task Writes_of_one_handle_take_effect_in_the_order_of_the_calls()
    {
        var opened = await Open();
        await Task.WhenAll(Enumerable.Range(1, 200).Select(seq => Append(opened.Handle, seq)));
        Assert.Equal(Enumerable.Range(1, 200).Select(seq => (long)seq), await Stored(opened.Handle.Id));
    }

    [Fact]
    public async Task Opening_tells_what_is_stored()
    {
        var first = await Open();
        await Append(first.Handle, 1, 2, 3);
        await Append(first.Handle, 6);
        var extents = (await Open()).Extents;

        Assert.Equal([new Extent(1, 3, 3, 3 * TestRuns.FrameBytes, TestRuns.AppendedMs(3)),
            new Extent(6, 6, 1, TestRuns.FrameBytes, TestRuns.AppendedMs(6))], extents);
    }

    [Fact]
    public async Task Of_very_many_runs_neighbours_are_told_merged()
    {
        const int runs = 9001;
        var first = await Open();
        await Task.WhenAll(Enumerable.Range(1, runs).Select(seq => Append(first.Handle, seq)));
        var extents = (await Open()).Extents;

        Assert.InRange(extents.Count, 1, 4096);
        Assert.Equal(runs, extents.Sum(extent => extent.Count));
        Assert.Equal(runs * (long)TestRuns.FrameBytes, extents.Sum(extent => extent.Bytes));
        Assert.Equal((1, runs), (extents[0].First, extents[^1].Last));
        Assert.All(extents, extent => Assert.Equal(extent.Count, extent.Last - extent.First + 1));
        Assert.All(extents, extent => Assert.Equal(TestRuns.AppendedMs(extent.Last), extent.AppendedMs));
    }

    [Fact]
    public async Task Trimming_deletes_whole_runs_only_and_remembers_how_far()
    {
        var first = await Open();
        await Append(first.Handle, 1, 2);
        await Append(first.Handle, 3, 4, 5);
        await Log.Trim(first.Handle, 4, Now);

        Assert.Equal([3, 4, 5], await Stored(first.Handle.Id));
        await Log.Trim(first.Handle, 2, Now);
        Assert.Equal(4, (await Open()).TrimmedThrough);

        var second = await Open();
        await Log.Trim(second.Handle, 5, Now);
        Assert.Empty(await Stored(first.Handle.Id));
        Assert.Equal(5, (await Open()).TrimmedThrough);
    }

    [Fact]
    public async Task Keys_outlive_their_events_and_go_when_they_expire()
    {
        var first = await Open();
        using (var run = TestRuns.Of(1, 2))
            await Log.Append(first.Handle, [run], [Key("soon", 1, Now + 5), Key("läter", 2, Now + 90)]);
        await Log.Trim(first.Handle, 2, Now + 5);
        Assert.Equal(2, (await Open(nowMs: Now + 5)).Keys.Count);

        var second = await Open(nowMs: Now + 6);
        Assert.Equal([Key("läter", 2, Now + 90)], second.Keys);
        await Log.Trim(second.Handle, 2, Now + 91);
        Assert.Empty((await Open(nowMs: Now)).Keys);
    }

    [Fact]
    public async Task A_key_given_again_is_the_newer_one()
    {
        var first = await Open();
        using (var run = TestRuns.Of(1)) await Log.Append(first.Handle, [run], [Key("k", 1)]);
        using (var run = TestRuns.Of(2)) await Log.Append(first.Handle, [run], [Key("k", 2)]);
        Assert.Equal([Key("k", 2)], (await Open()).Keys);
    }
}
