using Microsoft.Extensions.Logging;
using OrleansEvents.Grains.Subscribers;
using OrleansEvents.Streams;

namespace OrleansEvents.Grains.Nodes;

/// <summary>What all that a node does for readers and publishers shares.</summary>
internal sealed record NodeContext(
    IGrainFactory Grains,
    IEventLog Log,
    FeedMemory Memory,
    NodeOptions Options,
    TimeProvider Time,
    ILoggerFactory Loggers,
    SubscriberGrainContext? Subscribers = null)
{
    public Instant Now => Instant.Of(Time);
}
