using OrleansEvents.Streams;

namespace OrleansEvents.Api.Sse;

/// <summary>One stream's line on one connection: where it is, and whether it has begun.</summary>
internal sealed class StreamLine(SseConnection connection, FeedLease lease, ReadFrom from)
{
    private int _queued;

    public FeedReader Reader;

    public StreamFeed Feed => lease.Feed;

    public ReadFrom From { get; set; } = from;

    /// <summary>Whether the position has been resolved: not while the stream is absent.</summary>
    public bool Started { get; private set; }

    public bool Ended { get; set; }

    /// <summary>Whether it has a turn in the connection's next round.</summary>
    public bool IsWaiting { get; set; }

    /// <summary>Whether it waits for storage to answer again.</summary>
    public bool IsStuck { get; set; }

    /// <summary>What storage was asked for behind the ring; null: nothing.</summary>
    public Task<Outcome<EventRun>>? Stored { get; set; }

    /// <summary>All up to here was in storage when it was asked, so that what it does not have is not.</summary>
    public long StoredThrough { get; set; }

    /// <summary>Whether it has to wait until storage has answered for other lines.</summary>
    public bool IsBehind { get; set; }

    /// <summary>Whether what comes next is for storage to say.</summary>
    public bool WaitsForStorage => IsStuck || IsBehind || Stored is not null;

    /// <summary>Up to here the client's own cursor has moved.</summary>
    public long ToldSeq { get; set; }

    /// <summary>The sweeper's index of this line.</summary>
    public int Place { get; set; }

    /// <summary>The next in the connection's list of lines to look at.</summary>
    public StreamLine? NextQueued { get; set; }

    /// <summary>Where the reader is, as a cursor.</summary>
    public Cursor Position => Reader.Position;

    /// <summary>The position that is known: the reader's own, until the stream is there to be read.</summary>
    public Cursor? Known => Started ? Position : From.Kind == ReadFromKind.Cursor ? From.Cursor : null;

    /// <summary>Events between its position and the head; null when that is not known.</summary>
    public long? Lag => Started ? Feed.CountAfter(Reader.Seq) : 0;

    /// <summary>The feed has moved: the connection looks at this line, now if it can.</summary>
    public void Advanced()
    {
        TryQueue();
        connection.Signal(Signals.Advanced);
    }

    /// <summary>The same, from a sweep.</summary>
    public void Advanced(in Instant now) => connection.Advance(this, now);

    /// <summary>The same, from the feed's writer; false: the sweep has to come.</summary>
    public bool TryAdvance(in Instant now) => connection.TryAdvance(this, now);

    /// <summary>The connection's next round looks at this line.</summary>
    public void TryQueue()
    {
        if (Interlocked.Exchange(ref _queued, 1) == 0) connection.Queue(this);
    }

    /// <summary>Taken from the list: moving again queues it again.</summary>
    public void Unqueue() => Interlocked.Exchange(ref _queued, 0);

    /// <summary>Resolves the position once the stream is there; the gap to be told, if any.</summary>
    public Gap? Start()
    {
        var start = Feed.Resolve(From);
        MoveTo(start);
        Started = true;
        return start.Gap;
    }

    public void MoveTo(in ReadStart start)
    {
        Reader.MoveTo(start);
        ToldSeq = start.Seq;
    }

    public void Release() => lease.Dispose();
}
