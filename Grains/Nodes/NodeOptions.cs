using OrleansEvents.Streams;

namespace OrleansEvents.Grains.Nodes;

/// <summary>What a node that reads and publishes sets for itself, whether it owns streams or is an edge.</summary>
public sealed record NodeOptions
{
    /// <summary>What a stream has until it is told otherwise; the same on all nodes.</summary>
    public StreamSettings Defaults { get; init; } = StreamSettings.Default;

    /// <summary>For how long a call to an owner that cannot be reached is tried again: the time in which a node that
    /// died is detected.</summary>
    public TimeSpan RetryFor { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>How long to wait at most before a call is tried again.</summary>
    public TimeSpan RetryEvery { get; init; } = TimeSpan.FromMilliseconds(100);

    /// <summary>For how long a replica that nobody follows is kept filled.</summary>
    public TimeSpan LetGoAfter { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How often the streams' table is looked at for patterns.</summary>
    public TimeSpan ReconcileEvery { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Bytes that all buffers of the node may hold together; a silo that owns streams has one bound for both,
    /// which is that of its streams.</summary>
    public long MemoryBytes { get; init; } = 256L << 20;

    /// <summary>Bytes of events of one stream that may wait on the node for their owner; beyond, publishing is
    /// <c>STORE_UNAVAILABLE</c>.</summary>
    public int WaitingBytes { get; init; } = 32 << 20;

    /// <summary>Calls that a node may have under way to one owner; publishers beyond meet in the next.</summary>
    public int CallsUnderWay { get; init; } = 8;

    /// <summary>Streams that a node follows at once.</summary>
    public int Streams { get; init; } = 100_000;

    /// <summary>Absent streams that a node's readers wait for at once.</summary>
    public int Placeholders { get; init; } = 10_000;

    /// <summary>Streams that one pattern may match.</summary>
    public int PatternStreams { get; init; } = 1000;
}
