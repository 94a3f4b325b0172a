using OrleansEvents.Streams;

namespace OrleansEvents.Grains.Bridge;

/// <summary>The Orleans stream provider whose streams are event streams.</summary>
public sealed record BridgeOptions
{
    /// <summary>The namespace of its streams; the key is the event stream's name.</summary>
    public const string Namespace = "events";

    /// <summary>The provider's name: a token.</summary>
    public string Provider { get; init; } = "events";

    /// <summary>What one publish may hold.</summary>
    public PublishLimits Limits { get; init; } = PublishLimits.Default;

    /// <summary>Bytes of JSON that one publish may have.</summary>
    public int RequestBytes { get; init; } = 8 << 20;

    /// <summary>Queues among which the streams that are followed are spread, and these among silos. The same on all,
    /// for ever.</summary>
    public int Queues { get; init; } = 8;

    /// <summary>Streams that may be followed, for each queue.</summary>
    public int StreamsPerQueue { get; init; } = 1000;

    /// <summary>How often a silo looks whether there is something for followers: what they wait at most.</summary>
    public TimeSpan LookEvery { get; init; } = TimeSpan.FromMilliseconds(20);

    /// <summary>How often it is asked anew which streams are followed; it is told at once.</summary>
    public TimeSpan ListEvery { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>How often it is written down how far followers have come.</summary>
    public TimeSpan PassEvery { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How often a stream is asked whether anybody follows it still.</summary>
    public TimeSpan CheckEvery { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>For how long a follower that fails is given the same events again, before it is told a gap.</summary>
    public TimeSpan DeliverFor { get; init; } = TimeSpan.FromMinutes(1);
}
