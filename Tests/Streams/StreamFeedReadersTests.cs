using System.Buffers.Binary;
using OrleansEvents.Streams;
using Xunit;

namespace OrleansEvents.Tests.Streams;

/// <summary>One writer and several readers on threads of their own, over rings so small that readers are overtaken
/// all the time.</summary>
public sealed class StreamFeedReadersTests
{
    private const int Readers = 3;

    [Theory]
    [InlineData(1, 4096, false)]
    [InlineData(20, 4096, true)]
    [InlineData(400, 65536, true)]
    public async Task Readers_see_whole_events_in_order_and_every_jump_is_told(int events, int bytes, bool watched)
    {
        const int Appended = 40_000;
        var memory = new FeedMemory();
        var feed = new StreamFeed("x", memory) { History = new StreamHistory { State = StreamState.Open,
            Epochs = [new(1, 1, null, false)] } };
        if (watched) feed.Watch(new Deaf());
        using var done = new CancellationTokenSource();
        var readers = Enumerable.Range(0, Readers)
            .Select(index => Task.Factory.StartNew(() => Read(feed, index, done.Token),
                TaskCreationOptions.LongRunning))
            .ToList();
        var random = new Random(events);
        for (var seq = 1L; seq <= Appended;)
        {
            using var run = new EventRun();
            for (var count = random.Next(1, 8); count > 0 && seq <= Appended; count--) Add(run, seq++, random.Next(60,
                900));
            feed.Append(run);
            feed.Evict(events, bytes);
            if (random.Next(2000) == 0) feed.Clear();
            if (random.Next(16) == 0) Thread.Yield();
        }
        await done.CancelAsync();
        foreach (var (read, missed) in await Task.WhenAll(readers)) Assert.Equal(Appended, read + missed);
        feed.Clear();
        Assert.Equal(0, memory.Used);
    }

    [Fact]
    public async Task A_reader_that_comes_back_to_the_head_misses_nothing_when_a_run_goes_over_a_segments_end()
    {
        const int Appended = 200_000;
        var feed = new StreamFeed("x", new FeedMemory()) { History = new StreamHistory { State = StreamState.Open,
            Epochs = [new(1, 1, null, false)] } };
        var passed = 0L;
        var reading = Task.Factory.StartNew(() =>
        {
            while (Volatile.Read(ref passed) < Appended)
            {
                var reader = new FeedReader(passed);
                if (feed.Read(ref reader, 4000, out var block) != FeedRead.Block) continue;
                Check(ref reader, block, block.Count);
                Volatile.Write(ref passed, reader.Seq);
            }
        }, TaskCreationOptions.LongRunning);
        for (var seq = 1L; seq <= Appended;)
        {
            using var run = new EventRun();
            for (var count = 0; count < 4; count++) Add(run, seq++, 1000);
            feed.Append(run);
            for (var spin = new SpinWait(); Volatile.Read(ref passed) < run.Last && !reading.IsCompleted;)
                spin.SpinOnce(sleep1Threshold: -1);
            feed.Evict(1, 4096);
        }
        await reading;
    }

    /// <summary>Reads until the writer is done and nothing is left; what was read and what was told as
    /// missed.</summary>
    private static (long Read, long Missed) Read(StreamFeed feed, int index, CancellationToken done)
    {
        var (read, missed) = (0L, 0L);
        var reader = new FeedReader(0);
        var random = new Random(index);
        while (true)
        {
            var last = done.IsCancellationRequested;
            // A connection that comes back: it has a number, and no place in the ring yet.
            if (random.Next(2) == 0) reader.MoveTo(reader.Seq);
            switch (feed.Read(ref reader, random.Next(1, 4000), out var block))
            {
                case FeedRead.Behind:
                    var start = feed.Overtaken(reader, GapReason.Slow);
                    missed += start.Gap?.Missed ?? 0;
                    Assert.True(start.Seq > reader.Seq, "Behind, but nothing was evicted.");
                    reader.MoveTo(start);
                    break;
                case FeedRead.Nothing when last:
                    return (read, missed);
                case FeedRead.Nothing:
                    Thread.Yield();
                    break;
                default:
                    if (random.Next(8) == 0) Thread.Yield();
                    read += Check(ref reader, block, random.Next(0, block.Count + 1));
                    break;
            }
        }
    }

    private static int Check(ref FeedReader reader, FeedBlock block, int count)
    {
        using (block)
        {
            for (var i = 0; i < block.Count; i++)
            {
                var slot = block[i];
                var frame = block.Frame(slot);
                Assert.Equal(reader.Seq + 1 + i, slot.Seq);
                Assert.Equal(slot.Seq, BinaryPrimitives.ReadInt64LittleEndian(frame));
                Assert.Equal(frame.Length - 8, frame[8..].Count((byte)slot.Seq));
            }
            reader.Pass(block, count);
            return count;
        }
    }

    private static void Add(EventRun run, long seq, int bytes)
    {
        var frame = run.Reserve(bytes)[..bytes];
        frame.Fill((byte)seq);
        BinaryPrimitives.WriteInt64LittleEndian(frame, seq);
        run.Commit(new EventSlot(seq, 0, 0, bytes, (0, 0), (8, bytes - 8), critical: false));
    }

    private sealed class Deaf : IFeedWatcher
    {
        public void Advanced(StreamFeed feed)
        {
        }
    }
}
