using OrleansEvents.Streams;

namespace OrleansEvents.Grains;

/// <summary>What every stream of a silo shares.</summary>
internal sealed record StreamGrainContext(
    IEventLog Log,
    FeedMemory Memory,
    MemoryBudget Budget,
    StreamGrainOptions Options,
    TimeProvider Time,
    Func<ulong> NewEpoch,
    StreamDirectory Directory)
{
    public Instant Now => Instant.Of(Time);
}
