using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using OrleansEvents.Streams;
using Xunit;
using static OrleansEvents.Tests.Streams.StreamUnderTest;

namespace OrleansEvents.Tests.Streams;

public sealed class StreamFeedTests
{
    [Fact]
    public void The_ring_is_bounded_in_bytes_but_keeps_the_newest()
    {
        var under = new StreamUnderTest(StreamSettings.Default with { BufferBytes = 4096 });
        for (var i = 0; i < 50; i++) under.Append(Event(new string('1', 300)));
        var frame = under.Feed.Bytes / under.Feed.Count;
        Assert.Equal(4096 / frame, under.Feed.Count);
        Assert.Equal(50, under.Feed.Head);
        Assert.Equal(50 - under.Feed.Count, under.Feed.Floor);
        under.Append(Event(new string('2', 9000)));
        Assert.Equal([51], under.Ring().Select(one => one.Seq));
    }

    [Fact]
    public void A_reader_that_the_ring_has_passed_is_behind_and_told_how_many_it_missed()
    {
        var under = new StreamUnderTest(StreamSettings.Default with { Buffer = 3 });
        var reader = new FeedReader(0);
        for (var i = 0; i < 200; i++)
            under.Append(Event(i.ToString(System.Globalization.CultureInfo.InvariantCulture)));
        Assert.Equal(FeedRead.Behind, under.Feed.Read(ref reader, 1000, out _));
        var start = under.Feed.Overtaken(reader, GapReason.Slow);
        Assert.Equal((197, 197L), (start.Seq, start.Gap!.Value.Missed));
    }

    [Fact]
    public void While_somebody_watches_a_reader_may_lag_within_the_bytes_of_the_ring()
    {
        var under = new StreamUnderTest(StreamSettings.Default with { Buffer = 3, BufferBytes = 1 << 20 });
        under.Feed.Watch(new Deaf());
        for (var i = 0; i < 200; i++) under.Append(Event("1"));
        Assert.Equal(200, Read(under.Feed, 0).Count);
        Assert.Equal(3, under.Feed.Count);
    }

    [Fact]
    public void All_memory_goes_back_after_the_ring_is_cleared_and_nobody_pins_it()
    {
        var under = new StreamUnderTest();
        for (var i = 0; i < 100; i++) under.Append(Event(new string('1', 500)));
        var reader = new FeedReader(50);
        under.Feed.Read(ref reader, 1000, out var block);
        under.Feed.Clear();
        Assert.True(under.Memory.Used > 0);
        Assert.Equal(new string('1', 500), DataOf(block.Frame(block[0]), block[0]));
        block.Dispose();
        Assert.Equal(0, under.Memory.Used);
        Assert.Equal((0, 0L, 100L, 100L), (under.Feed.Count, under.Feed.Bytes, under.Feed.Floor, under.Feed.Head));
    }

    [Fact]
    public void A_reader_that_stays_behind_keeps_no_bytes_from_being_collected()
    {
        var under = new StreamUnderTest(StreamSettings.Default with { Buffer = 1 });
        var reader = new FeedReader(0);
        var array = ArrayRead(under, ref reader);
        under.Append(Large);
        GC.Collect();
        Assert.False(array.IsAlive);
        Assert.True(reader.MayHaveMore);
    }

    [Fact]
    public void A_reader_at_the_end_of_a_segment_that_was_let_go_may_have_more()
    {
        var under = new StreamUnderTest(StreamSettings.Default with { Buffer = 1 });
        under.Append(Event(new string('1', 3000)));
        var reader = new FeedReader(0);
        under.Feed.Read(ref reader, int.MaxValue, out var block);
        reader.Pass(block, 1);
        block.Dispose();
        Assert.False(reader.MayHaveMore);
        for (var i = 0; i < 3; i++) under.Append(Event(new string('2', 3000)));
        Assert.True(reader.MayHaveMore);
    }

    [Fact]
    public void A_block_holds_no_more_than_was_asked_for_unless_its_first_event_is_larger()
    {
        var under = new StreamUnderTest(StreamSettings.Default with { Buffer = 100 });
        under.Append([.. Enumerable.Range(0, 20).Select(_ => Event("12345"))]);
        var frame = (int)(under.Feed.Bytes / 20);
        var reader = new FeedReader(0);
        foreach (var (bytes, expected) in new[] { (1, 1), (frame, 1), (2 * frame - 1, 1), (2 * frame, 2), (7 * frame
            + 1, 7) })
        {
            Assert.Equal(FeedRead.Block, under.Feed.Read(ref reader, bytes, out var block));
            using (block) Assert.Equal(expected, block.Count);
        }
    }

    [Fact]
    public void Appending_and_reading_allocate_nothing_once_warm()
    {
        var under = new StreamUnderTest(StreamSettings.Default with { Buffer = 50 });
        var batch = new[] { Event("\"" + new string('1', 200) + "\"") };
        var reader = new FeedReader(0);
        var read = 0;
        void Round()
        {
            for (var i = 0; i < 1000; i++)
            {
                under.Stream.Append(batch, under.Now);
                while (under.Feed.Read(ref reader, 4096, out var block) == FeedRead.Block)
                {
                    using (block)
                    {
                        read += block.Count;
                        reader.Pass(block, block.Count);
                    }
                }
            }
        }
        Round();
        var before = GC.GetAllocatedBytesForCurrentThread();
        Round();
        var perEvent = (GC.GetAllocatedBytesForCurrentThread() - before) / 1000.0;
        Assert.Equal(2000, read);
        // A segment's object now and then, nothing for an event.
        Assert.True(perEvent < 16, $"{perEvent} bytes an event");
    }

    /// <summary>More than the pool keeps.</summary>
    private static NewEvent Large => Event($"\"{new string('1', BytePool.MostKept)}\"");

    /// <summary>Appends a large event and passes it.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static WeakReference ArrayRead(StreamUnderTest under, ref FeedReader reader)
    {
        under.Append(Large);
        Assert.Equal(FeedRead.Block, under.Feed.Read(ref reader, int.MaxValue, out var block));
        using var pinned = block;
        reader.Pass(block, 1);
        MemoryMarshal.TryGetArray(block.Segment.Memory(0, 1), out var array);
        return new WeakReference(array.Array);
    }

    private sealed class Deaf : IFeedWatcher
    {
        public void Advanced(StreamFeed feed)
        {
        }
    }
}
