namespace OrleansEvents.Streams;

/// <summary>What a node of a cluster counts as it happens.</summary>
public enum ClusterCount
{
    /// <summary>Streams' owners that began to live here.</summary>
    StreamActivations,

    /// <summary>Subscribers' owners that began to live here.</summary>
    SubscriberActivations,

    /// <summary>Subscribers that are loaded here now.</summary>
    SubscribersLoaded,

    /// <summary>Streams opened here that another process had and closed.</summary>
    HandedOver,

    /// <summary>Streams opened here that another process had and did not close.</summary>
    TakenOver,

    /// <summary>Streams whose writes storage refused here, because they have another owner.</summary>
    StreamsFenced,

    /// <summary>Subscribers whose writes storage refused here, because they have another owner.</summary>
    SubscribersFenced,

    /// <summary>Taps on streams that are owned here, now.</summary>
    TapsOfOwner,

    /// <summary>Copies that found their stream opened again, by whichever node.</summary>
    TapsReattached,

    /// <summary>Times that a copy had missed what its owner pushed, and read it.</summary>
    PushesMissed,

    /// <summary>Publishes that came to owners here by this node.</summary>
    PublishedHere,

    /// <summary>Publishes that came to owners here by another.</summary>
    PublishedElsewhere,
}

/// <summary>Why an owner stopped living here.</summary>
public enum LeavingReason
{
    /// <summary>Nobody used it.</summary>
    Idle,

    /// <summary>The node stops.</summary>
    Shutdown,

    /// <summary>It was moved to another node.</summary>
    Moved,

    /// <summary>Storage said that it has another owner.</summary>
    Fenced,

    /// <summary>Anything else.</summary>
    Other,
}

/// <summary>What this node of a cluster has counted since it began, kept up by whoever does it, for whoever looks.
/// Thread-safe. Without a cluster all are 0.</summary>
public sealed class ClusterCounts
{
    private readonly long[] _counts = new long[Enum.GetValues<ClusterCount>().Length];
    private readonly long[] _streamsLeft = new long[Enum.GetValues<LeavingReason>().Length];
    private readonly long[] _subscribersLeft = new long[Enum.GetValues<LeavingReason>().Length];

    /// <summary>One count as it is now.</summary>
    public long this[ClusterCount of] => Volatile.Read(ref _counts[(int)of]);

    /// <summary>Adds to one count.</summary>
    public void Add(ClusterCount of, long count = 1) => Interlocked.Add(ref _counts[(int)of], count);

    /// <summary>A stream's owner stopped living here.</summary>
    public void StreamLeft(LeavingReason reason) => Interlocked.Increment(ref _streamsLeft[(int)reason]);

    /// <summary>A subscriber's owner stopped living here.</summary>
    public void SubscriberLeft(LeavingReason reason) => Interlocked.Increment(ref _subscribersLeft[(int)reason]);

    /// <summary>How many streams' owners stopped living here for a reason.</summary>
    public long StreamsLeft(LeavingReason reason) => Volatile.Read(ref _streamsLeft[(int)reason]);

    /// <summary>How many subscribers' owners stopped living here for a reason.</summary>
    public long SubscribersLeft(LeavingReason reason) => Volatile.Read(ref _subscribersLeft[(int)reason]);
}

/// <summary>How far a copy of a stream is behind its owner.</summary>
/// <param name="Events">By how many numbers.</param>
/// <param name="Ms">For how long, milliseconds.</param>
public readonly record struct TapLag(long Events, long Ms)
{
    /// <summary>The greater of each.</summary>
    public static TapLag Max(TapLag one, TapLag other) =>
        new(Math.Max(one.Events, other.Events), Math.Max(one.Ms, other.Ms));
}
