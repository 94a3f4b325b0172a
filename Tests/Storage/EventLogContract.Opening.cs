using OrleansEvents.Streams;
using Xunit;

namespace OrleansEvents.Tests.Storage;

public abstract partial class EventLogContract
{
    [Fact]
    public async Task A_stream_that_does_not_exist_is_not_opened_unless_it_may_be_made()
    {
        Assert.Null(await Log.Open("orders", NextEpoch(), create: false, Now));
        Assert.Empty(await Log.List("", null, 10));
    }

    [Fact]
    public async Task A_new_stream_begins_at_one_with_a_block_of_numbers()
    {
        var epoch = NextEpoch();
        var opened = await Log.Open("orders", epoch, create: true, Now);

        Assert.NotNull(opened);
        Assert.True(opened.Created);
        Assert.Equal(epoch, opened.Handle.Epoch);
        Assert.Equal(Now, opened.CreatedMs);
        Assert.Equal([new EpochRecord(epoch, 1, null, false)], opened.Epochs);
        Assert.Equal(Block, opened.ReservedThrough);
        Assert.Equal(0, opened.TrimmedThrough);
        Assert.Null(opened.Settings);
        Assert.Null(opened.DurableSince);
        Assert.Null(opened.Closed);
        Assert.False(opened.Completed);
        Assert.Empty(opened.Extents);
        Assert.Empty(opened.Keys);
        Assert.Empty(opened.Subscribers);
    }

    [Fact]
    public async Task Opening_after_a_crash_goes_on_behind_all_reserved_numbers()
    {
        var first = await Open();
        await Append(first.Handle, 1, 2, 3);
        var second = await Open(nowMs: Now + 5);

        Assert.False(second.Created);
        Assert.Equal(Now, second.CreatedMs);
        Assert.Equal(first.Handle.Id, second.Handle.Id);
        Assert.Null(second.Closed);
        Assert.Equal([new EpochRecord(first.Handle.Epoch, 1, Block, false),
            new EpochRecord(second.Handle.Epoch, Block + 1, null, false)], second.Epochs);
        Assert.Equal(2 * Block, second.ReservedThrough);
    }

    [Fact]
    public async Task Numbers_reserved_later_are_not_given_again_either()
    {
        var first = await Open();
        await Log.Reserve(first.Handle, 3 * Block);
        await Log.Reserve(first.Handle, 2 * Block);
        var second = await Open();

        Assert.Equal(3 * Block, second.Epochs[0].End);
        Assert.Equal(3 * Block + 1, second.Epochs[1].First);
        Assert.Equal(4 * Block, second.ReservedThrough);
    }

    [Fact]
    public async Task Opening_consumes_a_graceful_close_with_its_ring()
    {
        var first = await Open();
        await Append(first.Handle, 1, 2);
        using (var ring = TestRuns.Of(2, 5, 7))
            await Log.Close(first.Handle, new GracefulClose(7, 1, ring));

        var second = await Open();
        Assert.NotNull(second.Closed);
        Assert.Equal((7, 1), (second.Closed.End, second.Closed.Floor));
        Assert.Equal([2, 5, 7], TestRuns.Seqs(second.Closed.Ring));
        Assert.True(TestRuns.FramesAreRight(second.Closed.Ring));
        second.Closed.Ring.Dispose();
        Assert.Equal([new EpochRecord(first.Handle.Epoch, 1, 7, true),
            new EpochRecord(second.Handle.Epoch, 8, null, false)], second.Epochs);
        Assert.Equal(7 + Block, second.ReservedThrough);

        var third = await Open();
        Assert.Null(third.Closed);
        Assert.Equal(new EpochRecord(second.Handle.Epoch, 8, 7 + Block, false), third.Epochs[1]);
        Assert.Equal(8 + Block, third.Epochs[2].First);
    }

    [Fact]
    public async Task A_close_of_an_empty_ring_is_a_graceful_close()
    {
        var first = await Open();
        using (var ring = new EventRun()) await Log.Close(first.Handle, new GracefulClose(0, 0, ring));
        var second = await Open();

        Assert.Equal(0, second.Closed?.Ring.Count);
        Assert.Equal(new EpochRecord(first.Handle.Epoch, 1, 0, true), second.Epochs[0]);
        Assert.Equal(1, second.Epochs[1].First);
    }

    [Fact]
    public async Task A_closed_handle_writes_no_more_but_may_be_closed_again()
    {
        var opened = await Open();
        using var ring = new EventRun();
        await Log.Close(opened.Handle, new GracefulClose(3, 0, ring));

        await Fenced(() => Append(opened.Handle, 4));
        await Fenced(() => Log.Reserve(opened.Handle, 4 * Block));
        await Log.Close(opened.Handle, new GracefulClose(4, 0, ring));
        Assert.Equal(4, (await Open()).Closed?.End);
    }

    [Fact]
    public async Task Only_the_last_epochs_are_remembered()
    {
        var epochs = new List<ulong>();
        OpenedStream opened = null!;
        for (var i = 0; i < IEventLog.EpochsKept + 3; i++)
        {
            opened = await Open();
            epochs.Add(opened.Handle.Epoch);
        }
        Assert.Equal(epochs.TakeLast(IEventLog.EpochsKept), opened.Epochs.Select(epoch => epoch.Epoch));
        Assert.All(opened.Epochs.SkipLast(1), epoch => Assert.NotNull(epoch.End));
    }

    [Fact]
    public async Task Every_write_of_an_earlier_opening_is_refused()
    {
        var old = (await Open()).Handle;
        var current = (await Open()).Handle;
        using var ring = new EventRun();

        await Fenced(() => Append(old, 1));
        await Fenced(() => Log.Reserve(old, 9 * Block));
        await Fenced(() => Log.Close(old, new GracefulClose(1, 0, ring)));
        await Fenced(() => Log.SaveSettings(old, "{}", 1));
        await Fenced(() => Log.Complete(old));
        await Fenced(() => Log.Delete(old, Now));
        await Fenced(() => Log.Trim(old, 1, Now));
        await Fenced(() => Log.SaveSubscriber(old, new SubscriberWrite("s", new byte[1])));
        await Fenced(() => Log.RemoveSubscriber(old, "s"));
        await Fenced(() => Park(old, "s", 1));
        await Fenced(() => Log.Reopen(old, NextEpoch(), 0, 1));
        await Append(current, Block + 1);
        Assert.Equal([Block + 1], await Stored(current.Id));
    }

    [Fact]
    public async Task A_refused_write_does_not_disturb_those_beside_it()
    {
        var old = (await Open()).Handle;
        var current = (await Open()).Handle;
        var refused = new List<Task>();
        var taken = new List<Task>();
        for (var seq = Block + 1; seq <= Block + 50; seq++)
        {
            refused.Add(Append(old, seq));
            taken.Add(Append(current, seq));
        }
        await Task.WhenAll(taken);
        foreach (var task in refused) await Fenced(() => task);
        Assert.Equal(50, (await Stored(current.Id)).Count);
    }

    [Fact]
    public async Task Many_streams_can_be_opened_at_once()
    {
        var opened = await Task.WhenAll(Enumerable.Range(0, 300).Select(i => Open($"s{i}")));
        Assert.Equal(300, opened.Select(stream => stream.Handle.Id).Distinct().Count());
    }

    [Fact]
    public async Task Settings_completion_subscribers_and_keys_come_back_with_the_stream()
    {
        var first = await Open();
        await Log.SaveSettings(first.Handle, """{"buffer":7}""", 41);
        await Log.Complete(first.Handle);
        await Log.SaveSubscriber(first.Handle, new SubscriberWrite("b", new byte[] { 1 }));
        await Log.SaveSubscriber(first.Handle, new SubscriberWrite("a", new byte[] { 2, 3 }));
        await Log.SaveSubscriber(first.Handle, new SubscriberWrite("b", ReadOnlyMemory<byte>.Empty));
        await Log.SaveSubscriber(first.Handle, new SubscriberWrite("c", new byte[] { 4 }));
        await Log.RemoveSubscriber(first.Handle, "c");

        var second = await Open();
        Assert.Equal("""{"buffer":7}""", second.Settings);
        Assert.Equal(41, second.DurableSince);
        Assert.True(second.Completed);
        Assert.Equal(["a", "b"], second.Subscribers.Select(subscriber => subscriber.Name));
        Assert.Equal([2, 3], second.Subscribers[0].State.ToArray());
        Assert.Empty(second.Subscribers[1].State.ToArray());

        await Log.SaveSettings(second.Handle, "{}", null);
        Assert.Null((await Open()).DurableSince);
    }
}
