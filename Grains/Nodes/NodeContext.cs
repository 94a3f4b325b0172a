using Microsoft.Extensions.Logging;
using OrleansEvents.Grains.Subscribers;
using OrleansEvents.Streams;

namespace OrleansEvents.Grains.Nodes;

/// <summary>What all that a node does for readers and publishers shares.</summary>
internal sealed record NodeContext(
    IGrainFactory Grains,
    IEventLog Log,
    FeedMemory Memory,
    MemoryBudget Budget,
    NodeOptions Options,
    TimeProvider Time,
    ILoggerFactory Loggers,
    RequestNumbers Requests,
    ClusterCounts Counts,
    SubscriberGrainContext? Subscribers = null)
{
    public Instant Now => Instant.Of(Time);
}

/// <summary>Numbers the requests of a node, each once in its whole life: a repetition is known by its number.</summary>
internal sealed class RequestNumbers(ulong node)
{
    private long _last;

    /// <summary>The node's own random number.</summary>
    public ulong Node { get; } = node;

    /// <summary>Takes the next numbers; returns the first.</summary>
    public long Take(int count) => Interlocked.Add(ref _last, count) - count + 1;
}
