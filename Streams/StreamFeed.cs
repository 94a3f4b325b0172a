namespace OrleansEvents.Streams;

/// <summary>Is told that a feed has something new. Called on the writer's thread: it must not wait.</summary>
public interface IFeedWatcher
{
    /// <summary>The feed's head or state has moved.</summary>
    void Advanced(StreamFeed feed);
}

/// <summary>
/// The read side of a stream: a ring of encoded segments. One writer (the owner's turn, or a replica's) appends and
/// evicts; any number of readers read from their own <see cref="FeedReader"/> without a lock. A reader that the ring
/// has passed finds <see cref="FeedRead.Behind"/>: it costs nobody anything.
/// <para>Invariants: events above <see cref="Floor"/> up to <see cref="Head"/> are in the segments, in order;
/// <see cref="Floor"/> and <see cref="Head"/> only grow; <see cref="Floor"/> moves before a segment is dropped.</para>
/// </summary>
public sealed class StreamFeed(string stream, FeedMemory memory)
{
    private IFeedWatcher[] _watchers = [];
    private StreamHistory _history = StreamHistory.None;
    private FeedSegment? _oldest;
    private FeedSegment? _newest;
    private FeedSegment? _floorSegment;
    private int _floorIndex;
    private int _count;
    private long _bytes;
    private long _heldBytes;
    private long _floor;
    private long _kept;
    private long _head;

    /// <summary>The stream's name.</summary>
    public string Stream { get; } = stream;

    /// <summary>The newest visible event's number; 0 before the first.</summary>
    public long Head => Volatile.Read(ref _head);

    /// <summary>Everything above it is in the ring: what a reader that comes now can be given.</summary>
    public long Floor => Volatile.Read(ref _floor);

    /// <summary>Events in the ring.</summary>
    public int Count => Volatile.Read(ref _count);

    /// <summary>Events a reader that has passed everything up to a number is behind the head, in the ring or not; null
    /// when they cannot be counted, since the number is of an earlier epoch.</summary>
    public long? CountAfter(long seq) => History.CountBetween(seq, Math.Max(seq, Head));

    /// <summary>Bytes of the frames in the ring.</summary>
    public long Bytes => Volatile.Read(ref _bytes);

    /// <summary>What readers must know of the past. Replaced by the writer.</summary>
    public StreamHistory History
    {
        get => Volatile.Read(ref _history);
        internal set => Volatile.Write(ref _history, value);
    }

    /// <summary>Whether anybody watches.</summary>
    public bool IsWatched => Watchers > 0;

    /// <summary>How many watch.</summary>
    internal int Watchers => Volatile.Read(ref _watchers).Length;

    /// <summary>Says that there is no such stream, or no longer.</summary>
    public void MarkMissing(bool deleted) =>
        History = History with { State = deleted ? StreamState.Deleted : StreamState.Absent };

    /// <summary>Says that another owns the stream now.</summary>
    public void MarkLost() => History = History with { State = StreamState.Lost };

    /// <summary>Adds a watcher.</summary>
    public void Watch(IFeedWatcher watcher) => Watched(before => [.. before, watcher]);

    /// <summary>Removes a watcher.</summary>
    public void Unwatch(IFeedWatcher watcher) => Watched(before => [.. before.Where(each => each != watcher)]);

    // Without a lock: an idle stream is to be small.
    private void Watched(Func<IFeedWatcher[], IFeedWatcher[]> change)
    {
        while (Volatile.Read(ref _watchers) is var before)
            if (Interlocked.CompareExchange(ref _watchers, change(before), before) == before) return;
    }

    /// <summary>Tells the watchers. The host calls it after the turn in which something was appended.</summary>
    public void Wake()
    {
        foreach (var watcher in Volatile.Read(ref _watchers)) watcher.Advanced(this);
    }

    /// <summary>Where a reader begins that asks for a position.</summary>
    public ReadStart Resolve(ReadFrom from)
    {
        var history = History;
        var head = Head;
        // All that is above it can be read: from the ring, or from storage.
        var floor = Floor;
        var readable = history.StoredSince is { } since ? Math.Min(since, floor) : floor;
        switch (from.Kind)
        {
            case ReadFromKind.Buffer: return new(floor, null, history.Epoch);
            case ReadFromKind.Head: return new(head, null, history.Epoch);
            // Even if the ring begins at the beginning: between what survived, ordinary events may be missing.
            case ReadFromKind.Beginning when history.WholeSince is > 0 and var whole:
                return new(readable, new Gap(from.Text, history.At(Math.Max(whole, readable)), null,
                    GapReason.Restart), history.Epoch);
            case ReadFromKind.Beginning: return Jump(history, 0, readable, from.Text, GapReason.Evicted);
            case ReadFromKind.Since: return Since(from, history, floor, readable);
            case ReadFromKind.Unknown: return Reset(from, history, floor);
        }
        return From(from, history, head, floor, GapReason.Evicted);
    }

    /// <summary>The gap of a connected reader that is behind, and where it goes on.</summary>
    public ReadStart Overtaken(in FeedReader reader, GapReason reason)
    {
        var (history, floor) = (History, Floor);
        var position = reader.Epoch == 0 ? history.At(reader.Seq) : reader.Position;
        // What a reader has been given lies below the head, even if a replica is not there yet.
        return From(ReadFrom.After(position), history, Math.Max(Head, reader.Seq), floor, reason);
    }

    /// <summary>What comes after the reader's position: contiguous bytes of one segment, at most
    /// <paramref name="maxBytes"/> of them unless the first event alone is larger.</summary>
    public FeedRead Read(ref FeedReader reader, int maxBytes, out FeedBlock block)
    {
        var found = Find(ref reader, maxBytes, out block);
        // Afterwards: who replaces what the ring holds says first since when.
        if (IsTold(ref reader)) return found;
        block.Dispose();
        block = default;
        return FeedRead.Behind;
    }

    private FeedRead Find(ref FeedReader reader, int maxBytes, out FeedBlock block)
    {
        block = default;
        while (true)
        {
            var segment = reader.Segment;
            if (segment is null || !segment.TryPin())
            {
                if (reader.Seq < Volatile.Read(ref _kept)) return FeedRead.Behind;
                if (!Locate(ref reader)) return FeedRead.Nothing;
                continue;
            }
            var next = segment.Next;
            var count = segment.Count;
            if (reader.Index < count)
            {
                block = new FeedBlock(segment, reader.Index, Fitting(segment, reader.Index, count, maxBytes));
                return FeedRead.Block;
            }
            segment.Unpin();
            if (next is null) return FeedRead.Nothing;
            (reader.Segment, reader.Index) = (next, 0);
        }
    }

    /// <summary>Copies the ring, oldest first. The writer's call.</summary>
    internal EventRun Snapshot()
    {
        var run = new EventRun((int)Math.Min(Bytes, int.MaxValue / 2) + 1, _count + 1);
        var index = _floorIndex;
        for (var segment = _floorSegment; segment is not null; segment = segment.Next, index = 0)
            for (; index < segment.Count; index++)
                run.Append(segment.Slot(index), segment.Bytes(segment.Slot(index).Offset, segment.Slot(index).End));
        return run;
    }

    /// <summary>When the oldest event of the ring was appended, Unix milliseconds. The ring must not be empty. The
    /// writer's call.</summary>
    internal long OldestMs
    {
        get
        {
            var (segment, index) = (_floorSegment!, _floorIndex);
            if (index == segment.Count) (segment, index) = (segment.Next!, 0);
            return segment.Slot(index).AppendedMs;
        }
    }

    /// <summary>Sets the position of an empty feed.</summary>
    internal void Begin(long floor, long head)
    {
        Volatile.Write(ref _floor, floor);
        Volatile.Write(ref _kept, floor);
        Volatile.Write(ref _head, head);
    }

    /// <summary>Puts other events in the place of all: what <paramref name="history"/> says of them. The writer's
    /// call.</summary>
    internal void BeginAnew(StreamHistory history, long floor)
    {
        History = history;
        var dropped = _oldest;
        Begin(floor, floor);
        Volatile.Write(ref _oldest, null);
        (_newest, _floorSegment, _floorIndex, _heldBytes) = (null, null, 0, 0);
        Volatile.Write(ref _count, 0);
        Volatile.Write(ref _bytes, 0);
        while (dropped is { } segment)
        {
            dropped = segment.Next;
            segment.Unpin();
        }
    }

    /// <summary>Copies a run behind the head and makes it visible. The writer's call.</summary>
    internal void Append(EventRun run)
    {
        // Before the events are visible: whoever was sent one may come back with its cursor at once.
        Volatile.Write(ref _head, run.Last);
        var done = 0;
        while (done < run.Count)
        {
            var filled = _newest?.Fill(run, done) ?? 0;
            if (filled == 0) Extend(run.Slots[done].Length + EventSlot.Size, run.Frames.Length);
            done += filled;
        }
        Volatile.Write(ref _count, _count + run.Count);
        Volatile.Write(ref _bytes, _bytes + run.Frames.Length);
        _heldBytes += run.Frames.Length;
    }

    /// <summary>Moves the head over numbers that no event has.</summary>
    internal void Skip(long head) => Volatile.Write(ref _head, Math.Max(head, _head));

    /// <summary>
    /// Evicts the oldest until at most so many events and bytes remain (the newest stays, however large), and none
    /// appended before a time. While somebody watches, evicted events may stay readable for those who lag, within
    /// the same bound of bytes.
    /// </summary>
    internal void Evict(int events, long bytes, long appendedBeforeMs = long.MinValue)
    {
        var aged = false;
        while (_count > 0)
        {
            if (_floorIndex == _floorSegment!.Count)
            {
                (_floorSegment, _floorIndex) = (_floorSegment.Next, 0);
                continue;
            }
            ref readonly var slot = ref _floorSegment.Slot(_floorIndex);
            var old = slot.AppendedMs < appendedBeforeMs;
            if (!old && _count <= events && (_bytes <= bytes || _count == 1)) break;
            aged |= old;
            Volatile.Write(ref _floor, slot.Seq);
            Volatile.Write(ref _count, _count - 1);
            Volatile.Write(ref _bytes, _bytes - slot.Length);
            _floorIndex++;
        }
        Drop(IsWatched && !aged ? bytes : 0);
    }

    /// <summary>Evicts everything and gives the memory back.</summary>
    internal void Clear()
    {
        Evict(0, 0, long.MaxValue);
        Drop(0);
    }

    /// <summary>Whether the reader knows of all that was lost up to the current opening.</summary>
    private bool IsTold(ref FeedReader reader)
    {
        var history = History;
        if (reader.Epoch == history.Epoch) return true;
        if (reader.Epoch != 0 && history.StandingOf(reader.Position, reader.Seq) != Standing.Exact) return false;
        reader.Epoch = history.Epoch;
        return true;
    }

    private static ReadStart From(ReadFrom from, StreamHistory history, long head, long floor, GapReason evicted)
    {
        var seq = from.Cursor.Seq;
        var readable = history.StoredSince is { } since ? Math.Min(since, floor) : floor;
        return history.StandingOf(from.Cursor, head) switch
        {
            Standing.Exact => Jump(history, seq, readable, from.Text, evicted),
            Standing.Restarted => new(Math.Max(seq, readable), new Gap(from.Text,
                history.At(Math.Max(history.WholeSince, Math.Max(seq, readable))), null, GapReason.Restart),
                    history.Epoch),
            _ => Reset(from, history, floor),
        };
    }

    /// <summary>From one number to a later one: a gap, unless no event is numbered between them.</summary>
    private static ReadStart Jump(StreamHistory history, long seq, long to, string? after, GapReason reason)
    {
        if (to <= seq) return new(seq, null, history.Epoch);
        var missed = history.CountBetween(seq, to);
        return new(to, missed == 0 ? null : new Gap(after, history.At(to), missed, reason), history.Epoch);
    }

    /// <summary>Behind what was appended before a time, as far as the ring tells; a gap where it does not.</summary>
    private ReadStart Since(ReadFrom from, StreamHistory history, long floor, long readable)
    {
        var (passed, isFirst, reachesBack) = (floor, true, floor == 0);
        for (var reader = new FeedReader(floor); Read(ref reader, int.MaxValue, out var block) == FeedRead.Block;)
        {
            using (block)
            {
                if (isFirst) reachesBack |= block[0].AppendedMs < from.SinceMs;
                isFirst = false;
                if (block[block.Count - 1].AppendedMs >= from.SinceMs) break;
                reader.Pass(block, block.Count);
                passed = reader.Seq;
            }
        }
        if (history.WholeSince > 0 && from.SinceMs < from.BegunMs)
        {
            var whole = history.At(Math.Max(history.WholeSince, readable));
            return new(readable, new Gap(from.Text, whole, null, GapReason.Restart), history.Epoch);
        }
        if (reachesBack) return new(passed, null, history.Epoch);
        return new(readable, history.CountBetween(0, readable) == 0 || readable == history.DurableSince
            ? null
            : new Gap(from.Text, history.At(readable), null, GapReason.Evicted), history.Epoch);
    }

    private static ReadStart Reset(ReadFrom from, StreamHistory history, long floor) =>
        new(floor, new Gap(from.Text, history.At(floor), null, GapReason.Reset), history.Epoch);

    private static int Fitting(FeedSegment segment, int from, int to, int maxBytes)
    {
        var limit = segment.Slot(from).Offset + (long)maxBytes;
        if (segment.Slot(to - 1).End <= limit) return to - from;
        int low = from + 1, high = to;
        while (low < high)
        {
            var middle = (low + high) >>> 1;
            if (segment.Slot(middle).End <= limit) low = middle + 1;
            else high = middle;
        }
        return low - from;
    }

    private bool Locate(ref FeedReader reader)
    {
        var segment = Volatile.Read(ref _oldest);
        while (segment is not null)
        {
            // Dropped under our eyes: what the ring holds now begins later, perhaps beyond the reader.
            if (!segment.TryPin()) return reader.Seq < Volatile.Read(ref _kept) || Locate(ref reader);
            // Before its events are looked for: a segment that has a next one is filled no more.
            var next = segment.Next;
            var index = segment.IndexAfter(reader.Seq);
            var found = index < segment.Count;
            segment.Unpin();
            if (found)
            {
                // The bound moves before a segment is dropped: had this search begun too late, it shows here.
                if (reader.Seq >= Volatile.Read(ref _kept)) (reader.Segment, reader.Index) = (segment, index);
                else reader.Segment = null;
                return true;
            }
            segment = next;
        }
        return false;
    }

    private void Extend(int atLeast, int coming)
    {
        // Segments about a quarter of the ring: little is held beyond the bound, and few are needed.
        var wanted = Math.Clamp(Math.Max(_bytes / 4, coming), FeedMemory.SmallestSegment,
            FeedMemory.UsualLargestSegment);
        var segment = new FeedSegment(memory, (int)Math.Max(wanted, atLeast));
        if (_newest is null)
        {
            (_floorSegment, _floorIndex) = (segment, 0);
            Volatile.Write(ref _oldest, segment);
        }
        else
        {
            _newest.Next = segment;
        }
        _newest = segment;
    }

    /// <summary>Drops segments of which every event is evicted, while more than so many bytes are held.</summary>
    private void Drop(long keepBytes)
    {
        while (_oldest is { Count: > 0 } segment && _heldBytes > keepBytes)
        {
            var evicted = segment != _floorSegment || _floorIndex == segment.Count;
            if (!evicted) return;
            var next = segment.Next;
            ref readonly var last = ref segment.Slot(segment.Count - 1);
            Volatile.Write(ref _kept, last.Seq);
            _heldBytes -= last.End;
            if (segment == _floorSegment) (_floorSegment, _floorIndex) = (next, 0);
            if (next is null) _newest = null;
            Volatile.Write(ref _oldest, next);
            segment.Unpin();
        }
    }
}
