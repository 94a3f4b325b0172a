namespace OrleansEvents.Streams;

/// <summary>Whether a stream is there to be read.</summary>
public enum StreamState
{
    /// <summary>Nobody knows yet: it could not be opened.</summary>
    Unknown,

    /// <summary>There is no such stream; readers wait for it.</summary>
    Absent,

    /// <summary>Open for publishing.</summary>
    Open,

    /// <summary>Ended: nothing comes after the head.</summary>
    Completed,

    /// <summary>Removed.</summary>
    Deleted,

    /// <summary>It has another owner: nothing comes any more through this feed. Readers begin anew.</summary>
    Lost,
}

/// <summary>How a cursor stands to a stream's history.</summary>
internal enum Standing
{
    /// <summary>Nothing was lost behind it but what fell out of the ring.</summary>
    Exact,

    /// <summary>Ordinary events behind it may have died with a process.</summary>
    Restarted,

    /// <summary>It is not of this stream's history.</summary>
    Unknown,
}

/// <summary>
/// What readers must know of a stream's past, as one immutable value that its owner replaces: its openings, which
/// numbers were burnt, from where storage is whole.
/// </summary>
public sealed record StreamHistory
{
    /// <summary>A stream of which nothing is known.</summary>
    public static readonly StreamHistory None = new() { State = StreamState.Unknown, Epochs = [] };

    /// <summary>Whether the stream is there.</summary>
    public required StreamState State { get; init; }

    /// <summary>The last 16 openings; the newest is last.</summary>
    public required IReadOnlyList<EpochRecord> Epochs { get; init; }

    /// <summary>Numbers of the current epoch that no event has, oldest first; at most 64 ranges.</summary>
    public IReadOnlyList<(long First, long Last)> Burnt { get; init; } = [];

    /// <summary>Below this number the burnt ranges have been forgotten: nothing can be counted across it.</summary>
    public long CountableFrom { get; init; }

    /// <summary>Every event above this number was logged; null when the stream is not durable.</summary>
    public long? DurableSince { get; init; }

    /// <summary>Everything up to here was trimmed from storage.</summary>
    public long TrimmedThrough { get; init; }

    /// <summary>Everything above this number can be read from storage; null when the stream is not durable.</summary>
    public long? StoredSince => DurableSince is { } since ? Math.Max(since, TrimmedThrough) : null;

    /// <summary>The current epoch; 0 before the stream was opened.</summary>
    public ulong Epoch => Epochs.Count == 0 ? 0 : Epochs[^1].Epoch;

    /// <summary>A cursor of the current epoch.</summary>
    public Cursor At(long seq) => new(Epoch, seq);

    /// <summary>The id of the event that has a number: a cursor of the epoch that gave it. Of what is older than the
    /// epochs that are remembered, a cursor of the current one.</summary>
    public Cursor IdOf(long seq)
    {
        for (var i = Epochs.Count - 1; i >= 0; i--)
            if (Epochs[i].First <= seq) return new Cursor(Epochs[i].Epoch, seq);
        return At(seq);
    }

    internal Standing StandingOf(Cursor cursor, long head)
    {
        var index = IndexOf(cursor.Epoch);
        if (index < 0) return Standing.Unknown;
        if (cursor.Seq > (Epochs[index].End ?? head)) return Standing.Unknown;
        if (DurableSince is { } since && cursor.Seq >= since) return Standing.Exact;
        for (var i = index; i < Epochs.Count - 1; i++)
            if (!Epochs[i].Graceful) return Standing.Restarted;
        return Standing.Exact;
    }

    /// <summary>From where on no event has died with a process.</summary>
    internal long WholeSince
    {
        get
        {
            for (var i = Epochs.Count - 2; i >= 0; i--)
                if (!Epochs[i].Graceful && !(DurableSince < Epochs[i].First)) return Epochs[i + 1].First - 1;
            return 0;
        }
    }

    /// <summary>Events numbered above <paramref name="after"/> up to <paramref name="through"/>, when both lie in
    /// the current epoch and nothing that counting needs was forgotten; otherwise null.</summary>
    internal long? CountBetween(long after, long through)
    {
        if (Epochs.Count == 0 || after < Epochs[^1].First - 1 || after < CountableFrom) return null;
        var count = through - after;
        foreach (var (first, last) in Burnt)
            count -= Math.Max(0, Math.Min(last, through) - Math.Max(first, after + 1) + 1);
        return count;
    }

    private int IndexOf(ulong epoch)
    {
        for (var i = Epochs.Count - 1; i >= 0; i--)
            if (Epochs[i].Epoch == epoch) return i;
        return -1;
    }
}
