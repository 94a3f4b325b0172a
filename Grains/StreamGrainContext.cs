using OrleansEvents.Streams;

namespace OrleansEvents.Grains;

/// <summary>What every stream of a silo shares.</summary>
internal sealed record StreamGrainContext(
    IEventLog Log,
    FeedMemory Memory,
    MemoryBudget Budget,
    Alarms Alarms,
    StreamGrainOptions Options,
    TimeProvider Time,
    OwnEpochs Epochs,
    OwnedStreams Owned,
    ClusterCounts Counts,
    ulong Publisher,
    string Node,
    StreamDirectory Directory)
{
    public Instant Now => Instant.Of(Time);
}
