using System.Text;
using OrleansEvents.Streams;
using Xunit;

namespace OrleansEvents.Tests.Storage;

public abstract partial class EventLogContract
{
    [Fact]
    public async Task Parked_events_are_read_back_whole_in_order_with_their_notes()
    {
        var handle = (await Open()).Handle;
        await Park(handle, "s", 7, 9);
        await Park(handle, "s", 3);
        await Park(handle, "other", 8);
        using var run = new EventRun();
        TestRuns.Add(run, 20, critical: true, bytes: 10_000);
        var write = new SubscriberWrite("s", new byte[1])
        {
            Park = run,
            Notes = [ReadOnlyMemory<byte>.Empty],
            ParkedMs = 99,
        };
        await Log.SaveSubscriber(handle, write);

        var page = await Log.ReadParked(handle.Id, "s", 0, 100, int.MaxValue);
        using var events = page.Events;
        Assert.Equal([3, 7, 9, 20], TestRuns.Seqs(events));
        Assert.True(TestRuns.FramesAreRight(events));
        Assert.Equal([new(3, 1003), new(7, 1007), new(9, 1007), new ParkedMark(20, 99)], page.Marks);
        Assert.Equal(["note 3", "note 7", "note 9", ""], page.Notes.Select(note => Encoding.UTF8.GetString(note.Span)));
        var slot = events.Slots[3];
        Assert.True(slot.Critical && !events.Slots[0].Critical);
        Assert.Equal((TestRuns.AppendedMs(20), 40, 4, 50, 8),
            (slot.AppendedMs, slot.TypeStart, slot.TypeLength, slot.DataStart, slot.DataLength));
        Assert.Equal([8], await Parked(handle.Id, "other"));
    }

    [Fact]
    public async Task A_page_of_parked_events_stops_at_its_bounds_but_has_at_least_one()
    {
        var handle = (await Open()).Handle;
        await Park(handle, "s", 1, 2, 3, 4);
        const int one = TestRuns.FrameBytes + 6;

        Assert.Equal([1, 2], await Page(after: 0, events: 2, int.MaxValue));
        Assert.Equal([3, 4], await Page(after: 2, events: 2, int.MaxValue));
        Assert.Equal([1, 2], await Page(after: 0, events: 9, 3 * one - 1));
        Assert.Equal([2, 3, 4], await Page(after: 1, events: 9, 3 * one));
        Assert.Equal([4], await Page(after: 3, events: 9, bytes: 1));
        Assert.Empty(await Page(after: 4, events: 9, int.MaxValue));
        Assert.Empty(await Page(after: 0, events: 0, int.MaxValue));

        async Task<IReadOnlyList<long>> Page(long after, int events, int bytes)
        {
            var page = await Log.ReadParked(handle.Id, "s", after, events, bytes);
            using var run = page.Events;
            Assert.True(TestRuns.FramesAreRight(run));
            Assert.Equal(TestRuns.Seqs(run), page.Marks.Select(mark => mark.Seq));
            Assert.Equal(page.Marks.Count, page.Notes.Count);
            return TestRuns.Seqs(run);
        }
    }

    [Fact]
    public async Task Where_nothing_is_parked_a_page_is_empty()
    {
        var opened = await Open();
        await Park(opened.Handle, "s", 1);
        Assert.Empty(await Parked(opened.Handle.Id, "other"));
        Assert.Empty(await Parked(opened.Handle.Id + 1, "s"));
    }

    [Fact]
    public async Task Parking_what_is_parked_replaces_it_and_removing_comes_first()
    {
        var handle = (await Open()).Handle;
        await Park(handle, "s", 1, 2, 3);
        using var again = TestRuns.Critical(2);
        var write = new SubscriberWrite("s", new byte[1])
        {
            Unpark = [(1, 2)],
            Park = again,
            Notes = ["again"u8.ToArray()],
            ParkedMs = 5,
        };
        await Log.SaveSubscriber(handle, write);

        var page = await Log.ReadParked(handle.Id, "s", 0, 9, int.MaxValue);
        using var events = page.Events;
        Assert.Equal([new(2, 5), new ParkedMark(3, 1001)], page.Marks);
        Assert.Equal("again", Encoding.UTF8.GetString(page.Notes[0].Span));
        Assert.True(events.Slots[0].Critical);

        await Park(handle, "s", 3);
        Assert.Equal([new(2, 5), new ParkedMark(3, 1003)], Assert.Single((await Open()).Subscribers).Parked);
    }

    [Fact]
    public async Task Ranges_are_unparked_with_both_their_ends_for_one_subscriber_only()
    {
        var handle = (await Open()).Handle;
        await Park(handle, "s", 1, 2, 3, 4, 5, 6, 7, 8, 9);
        await Park(handle, "t", 2, 7);
        var write = new SubscriberWrite("s", new byte[1])
        {
            Unpark = [(2, 3), (5, 5), (7, 8), (20, 30), (9, 6)],
        };
        await Log.SaveSubscriber(handle, write);
        Assert.Equal([1, 4, 6, 9], await Parked(handle.Id, "s"));
        Assert.Equal([2, 7], await Parked(handle.Id, "t"));

        await Log.SaveSubscriber(handle, new SubscriberWrite("s", new byte[1]) { Unpark = [(0, long.MaxValue)] });
        Assert.Empty(await Parked(handle.Id, "s"));
    }

    [Fact]
    public async Task A_write_with_another_number_of_notes_than_events_is_refused_whole()
    {
        var handle = (await Open()).Handle;
        using var run = TestRuns.Of(1, 2);
        var write = new SubscriberWrite("s", new byte[1]) { Park = run, Notes = [new byte[1]] };
        await Assert.ThrowsAsync<ArgumentException>(() => Log.SaveSubscriber(handle, write));
        Assert.Empty((await Open()).Subscribers);
    }

    [Fact]
    public async Task A_refused_write_changes_neither_state_nor_what_is_parked()
    {
        var old = (await Open()).Handle;
        await Park(old, "s", 1, 2);
        var current = (await Open()).Handle;
        using var run = TestRuns.Of(3);
        var write = new SubscriberWrite("s", new byte[5])
        {
            Wakes = true,
            Unpark = [(1, 1)],
            Park = run,
            Notes = [new byte[1]],
        };
        await Fenced(() => Log.SaveSubscriber(old, write));
        await Fenced(() => Log.RemoveSubscriber(old, "s"));

        Assert.Equal([1, 2], await Parked(current.Id, "s"));
        Assert.Empty(await Log.StreamsToWake());
        Assert.Single(Assert.Single((await Open()).Subscribers).State.ToArray());
    }

    [Fact]
    public async Task What_is_parked_goes_with_its_subscriber()
    {
        var handle = (await Open()).Handle;
        await Park(handle, "s", 1, 2);
        await Park(handle, "t", 1);
        await Log.RemoveSubscriber(handle, "s");
        Assert.Empty(await Parked(handle.Id, "s"));

        await Log.SaveSubscriber(handle, new SubscriberWrite("s", new byte[1]));
        Assert.Empty(await Parked(handle.Id, "s"));
        Assert.Equal([0, 1], (await Open()).Subscribers.Select(subscriber => subscriber.Parked.Count));
    }

    [Fact]
    public async Task What_is_parked_goes_with_its_stream()
    {
        var first = (await Open()).Handle;
        await Park(first, "s", 1, 2);
        await Log.Delete(first, Now);
        Assert.Empty(await Parked(first.Id, "s"));

        var second = await Open();
        Assert.Empty(second.Subscribers);
        await Park(second.Handle, "s", Block + 4);
        Assert.Empty(await Parked(first.Id, "s"));
        Assert.Equal([Block + 4], await Parked(second.Handle.Id, "s"));
    }

    [Fact]
    public async Task What_is_parked_outlives_its_event_a_reopening_and_an_opening()
    {
        var first = await Open();
        await Append(first.Handle, 1, 2, 3);
        await Park(first.Handle, "s", 2, 3, 50);
        await Log.Trim(first.Handle, 3, Now);
        Assert.Empty(await Stored(first.Handle.Id));
        await Log.Reopen(first.Handle, NextEpoch(), confirmed: 3, next: 20);
        Assert.Equal([2, 3, 50], await Parked(first.Handle.Id, "s"));

        var second = await Open();
        Assert.Equal([2, 3, 50], Assert.Single(second.Subscribers).Parked.Select(mark => mark.Seq));
        using (var ring = new EventRun()) await Log.Close(second.Handle, new GracefulClose(Block, 0, ring));
        Assert.Equal([new(2, 1002), new(3, 1002), new ParkedMark(50, 1002)],
            Assert.Single((await Open()).Subscribers).Parked);
        Assert.Equal([2, 3, 50], await Parked(first.Handle.Id, "s"));
    }

    [Fact]
    public async Task Every_subscriber_comes_back_with_its_own_marks()
    {
        var handle = (await Open()).Handle;
        await Task.WhenAll(Enumerable.Range(1, 300).Select(i => Log.SaveSubscriber(handle,
            new SubscriberWrite($"s{i}", new byte[1]))));
        for (var i = 300; i > 0; i -= 3) await Park(handle, $"s{i}", i, i + 1000);
        await Park((await Open("another")).Handle, "s3", 5);

        foreach (var subscriber in (await Open()).Subscribers)
        {
            var number = int.Parse(subscriber.Name.AsSpan(1), null);
            Assert.Equal(number % 3 == 0 ? [number, number + 1000] : Array.Empty<long>(),
                subscriber.Parked.Select(mark => mark.Seq));
        }
    }

    /// <summary>Parks events as of a moment that the first one's number tells, with notes that tell theirs.</summary>
    private async Task Park(LogHandle handle, string subscriber, params long[] seqs)
    {
        using var run = TestRuns.Of(seqs);
        var write = new SubscriberWrite(subscriber, new byte[1])
        {
            Park = run,
            Notes = [.. seqs.Select(seq => (ReadOnlyMemory<byte>)Encoding.UTF8.GetBytes($"note {seq}"))],
            ParkedMs = 1000 + seqs[0],
        };
        await Log.SaveSubscriber(handle, write);
    }

    private async Task<IReadOnlyList<long>> Parked(long id, string subscriber)
    {
        var page = await Log.ReadParked(id, subscriber, 0, int.MaxValue, int.MaxValue);
        using var events = page.Events;
        Assert.True(TestRuns.FramesAreRight(events));
        return TestRuns.Seqs(events);
    }
}
