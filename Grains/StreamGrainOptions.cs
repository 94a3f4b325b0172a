using OrleansEvents.Grains.Subscribers;
using OrleansEvents.Streams;

namespace OrleansEvents.Grains;

/// <summary>What a node sets for all streams that it owns.</summary>
public sealed record StreamGrainOptions
{
    /// <summary>What a stream has until it is told otherwise.</summary>
    public StreamSettings Defaults { get; init; } = StreamSettings.Default;

    /// <summary>Bounds of a stream.</summary>
    public StreamLimits Limits { get; init; } = new();

    /// <summary>What subscribers have and may.</summary>
    public SubscriberGrainOptions Subscribers { get; init; } = new();

    /// <summary>Bytes that all buffers of the silo may hold together, of streams that it owns and of replicas: beyond,
    /// the idlest are evicted.</summary>
    public long MemoryBytes { get; init; } = 256L << 20;

    /// <summary>For how long a grain stays that has no stream, and that nobody asks for it.</summary>
    public TimeSpan AbsentAfter { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>For how long an opening waits for the stream's former owner on the same node to close.</summary>
    public TimeSpan FormerWait { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>For how long a tap is pushed to without being renewed.</summary>
    public TimeSpan TapLease { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Taps of one stream at most; another is <c>RATE_LIMITED</c>.</summary>
    public int Taps { get; init; } = 1000;

    /// <summary>Bytes of events in one push at most, unless one event alone is larger.</summary>
    public int PushBytes { get; init; } = 512 << 10;
}
