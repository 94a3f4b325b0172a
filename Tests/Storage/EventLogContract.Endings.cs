using OrleansEvents.Streams;
using Xunit;

namespace OrleansEvents.Tests.Storage;

public abstract partial class EventLogContract
{
    [Fact]
    public async Task Reopening_deletes_what_was_not_confirmed_and_begins_where_it_is_told()
    {
        var first = await Open();
        await Append(first.Handle, 1, 2, 3);
        using (var run = TestRuns.Of(4, 5, 8))
            await Log.Append(first.Handle, [run], [Key("kept", 4), Key("void", 8)]);
        using (var run = TestRuns.Of(9)) await Log.Append(first.Handle, [run], [Key("gone", 9)]);

        var epoch = NextEpoch();
        var handle = await Log.Reopen(first.Handle, epoch, confirmed: 5, next: 20);
        Assert.Equal(new LogHandle(first.Handle.Id, epoch), handle);
        Assert.Equal([1, 2, 3, 4, 5], await Stored(handle.Id));
        await Fenced(() => Append(first.Handle, 20));
        await Append(handle, 20);

        var second = await Open();
        Assert.Equal([Key("kept", 4)], second.Keys);
        Assert.Equal([new EpochRecord(first.Handle.Epoch, 1, 19, true), new EpochRecord(epoch, 20, Block, false),
            new EpochRecord(second.Handle.Epoch, Block + 1, null, false)], second.Epochs);
        Assert.Equal([1, 2, 3, 4, 5, 20], await Stored(handle.Id));
    }

    [Fact]
    public async Task Reopening_can_be_repeated_when_its_outcome_was_unknown()
    {
        var first = await Open();
        await Append(first.Handle, 1);
        var epoch = NextEpoch();
        await Log.Reopen(first.Handle, epoch, confirmed: 1, next: 10);
        var handle = await Log.Reopen(first.Handle, epoch, confirmed: 1, next: 12);
        await Append(handle, 12);

        var second = await Open();
        Assert.Equal([new EpochRecord(first.Handle.Epoch, 1, 11, true), new EpochRecord(epoch, 12, Block, false)],
            second.Epochs.Take(2));
    }

    [Fact]
    public async Task Reopening_takes_back_a_close_whose_outcome_was_unknown()
    {
        var first = await Open();
        using (var ring = TestRuns.Of(1)) await Log.Close(first.Handle, new GracefulClose(1, 0, ring));
        var handle = await Log.Reopen(first.Handle, NextEpoch(), confirmed: 0, next: 2);
        await Append(handle, 2);

        var second = await Open();
        Assert.Null(second.Closed);
        Assert.Equal(Block + 1, second.Epochs[^1].First);
    }

    [Fact]
    public async Task A_deleted_stream_leaves_only_a_tombstone()
    {
        var opened = await Open();
        using (var run = TestRuns.Critical(1, 2)) await Log.Append(opened.Handle, [run], [Key("k", 1)]);
        await Log.SaveSubscriber(opened.Handle, new SubscriberWrite("s", new byte[] { 1 }));
        Assert.False(await Log.IsDeleted("orders"));
        await Log.Delete(opened.Handle, Now);

        Assert.True(await Log.IsDeleted("orders"));
        Assert.False(await Log.IsDeleted("other"));
        Assert.Empty(await Stored(opened.Handle.Id));
        Assert.Empty(await Critical(opened.Handle.Id, 0));
        Assert.Empty(await Log.List("", null, 10));
        Assert.Null(await Log.Open("orders", NextEpoch(), create: false, Now));
        await Fenced(() => Append(opened.Handle, 3));
        await Fenced(() => Log.Reopen(opened.Handle, NextEpoch(), 0, 3));
    }

    [Fact]
    public async Task A_stream_made_again_goes_on_behind_its_numbers_with_a_history_of_its_own()
    {
        var first = await Open();
        await Append(first.Handle, 1);
        await Log.SaveSettings(first.Handle, "{}", 1);
        await Log.SaveSubscriber(first.Handle, new SubscriberWrite("s", new byte[] { 1 }));
        await Log.Complete(first.Handle);
        await Log.Delete(first.Handle, Now);
        var second = await Open(nowMs: Now + 7);

        Assert.True(second.Created);
        Assert.Equal(Now + 7, second.CreatedMs);
        Assert.Equal([new EpochRecord(second.Handle.Epoch, Block + 1, null, false)], second.Epochs);
        Assert.Equal(2 * Block, second.ReservedThrough);
        Assert.False(second.Completed);
        Assert.Null(second.Settings);
        Assert.Null(second.DurableSince);
        Assert.Equal(0, second.TrimmedThrough);
        Assert.Empty(second.Extents);
        Assert.Empty(second.Keys);
        Assert.Empty(second.Subscribers);
        Assert.False(await Log.IsDeleted("orders"));
        await Append(second.Handle, Block + 1);
        Assert.False((await Open()).Created);
    }

    [Fact]
    public async Task Old_tombstones_are_forgotten_and_young_ones_kept()
    {
        await Log.Delete((await Open("old")).Handle, Now);
        await Log.Delete((await Open("young")).Handle, Now + 10);
        await Open("alive");
        await Log.ForgetTombstones(Now + 10);

        Assert.False(await Log.IsDeleted("old"));
        Assert.True(await Log.IsDeleted("young"));
        Assert.Equal(1, (await Open("old")).Epochs[0].First);
        Assert.Single(await Log.List("alive", null, 10));
    }

    [Fact]
    public async Task Streams_are_listed_by_name_in_ordinal_order()
    {
        foreach (var name in new[] { "a.b", "a", "a-b", "B", "a.c", "b", "a_b", "$system" }) await Open(name);
        await Log.Complete((await Open("a.c")).Handle);

        Assert.Equal(["$system", "B", "a", "a-b", "a.b", "a.c", "a_b", "b"], await Names("", null, 10));
        Assert.Equal(["a.b", "a.c"], await Names("a.", null, 10));
        Assert.Equal(["a-b", "a.b"], await Names("a", "a", 2));
        Assert.Empty(await Names("c", null, 10));
        Assert.Empty(await Names("", "b", 10));
        Assert.Equal(new StoredStream("a.c", true, Now), Assert.Single(await Log.List("a.c", null, 10)));

        async Task<IEnumerable<string>> Names(string prefix, string? after, int limit) =>
            (await Log.List(prefix, after, limit)).Select(stream => stream.Name);
    }

    [Fact]
    public async Task A_probe_returns_when_storage_takes_writes()
    {
        await Log.Probe();
        await Log.Probe();
    }
}
