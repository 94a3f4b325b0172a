namespace OrleansEvents.Streams;

/// <summary>A reader's place in one feed. Its holder calls <see cref="StreamFeed.Read"/> from one thread at a
/// time.</summary>
public struct FeedReader
{
    internal FeedSegment? Segment;
    internal int Index;

    internal ulong Epoch;

    /// <summary>A reader that has passed everything up to <paramref name="seq"/>, as of the opening in which it first
    /// reads.</summary>
    public FeedReader(long seq) => Seq = seq;

    /// <summary>A reader that begins where a position was found to be.</summary>
    public FeedReader(in ReadStart start) => (Seq, Epoch) = (start.Seq, start.Epoch);

    /// <summary>Everything up to here has been passed.</summary>
    public long Seq { get; internal set; }

    /// <summary>The reader's cursor. Its epoch is the newest of which the reader has been told what was lost, which may
    /// be older than the feed's.</summary>
    public readonly Cursor Position => new(Epoch, Seq);

    /// <summary>Whether a read would likely find something: cheap, and false only when whoever watches the feed will
    /// be told of the next.</summary>
    public readonly bool MayHaveMore =>
        // In this order: a segment that is let go loses its next, and must not pass for the last.
        Segment is not { } segment || Index < segment.Count || segment.Next is not null || segment.IsLetGo;

    /// <summary>Puts the reader elsewhere, having been told of no more than it was.</summary>
    public void MoveTo(long seq) => this = new FeedReader(seq) { Epoch = Epoch };

    /// <summary>Puts the reader where a position was found to be, once it has been told of the gap.</summary>
    public void MoveTo(in ReadStart start) => this = new FeedReader(start);

    /// <summary>Passes the first <paramref name="count"/> events of a block that this reader was given.</summary>
    public void Pass(in FeedBlock block, int count)
    {
        if (count == 0) return;
        Segment = block.Segment;
        Index = block.From + count;
        Seq = block[count - 1].Seq;
    }
}

/// <summary>What <see cref="StreamFeed.Read"/> found.</summary>
public enum FeedRead
{
    /// <summary>The reader has passed everything there is.</summary>
    Nothing,

    /// <summary>A block, which must be disposed.</summary>
    Block,

    /// <summary>The ring no longer holds what comes next, or events may have been lost with an owner: a gap is due,
    /// unless storage has them.</summary>
    Behind,
}

/// <summary>Events next to each other in one segment, pinned until disposed.</summary>
public readonly struct FeedBlock : IDisposable
{
    internal readonly FeedSegment Segment;
    internal readonly int From;

    internal FeedBlock(FeedSegment segment, int from, int count) => (Segment, From, Count) = (segment, from, count);

    /// <summary>Events in the block, one at least.</summary>
    public int Count { get; }

    /// <summary>The slot of one event; its offset is the segment's, for <see cref="Frame"/>.</summary>
    public ref readonly EventSlot this[int index] => ref Segment.Slot(From + index);

    /// <summary>All frames, one behind the other.</summary>
    public ReadOnlySpan<byte> Frames => Segment.Bytes(this[0].Offset, this[Count - 1].End);

    /// <summary>One event's frame.</summary>
    public ReadOnlySpan<byte> Frame(in EventSlot slot) => Segment.Bytes(slot.Offset, slot.End);

    /// <summary>Lets the bytes be reused.</summary>
    public void Dispose() => Segment?.Unpin();
}
