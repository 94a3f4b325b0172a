using OrleansEvents.Api.Metrics;
using OrleansEvents.Streams;

namespace OrleansEvents.Api.Embedded;

/// <summary>What every stream of the engine shares.</summary>
internal sealed record EngineContext(
    IEventLog Log,
    StoreCircuit Circuit,
    FeedMemory Memory,
    StreamSettings Defaults,
    StreamLimits Limits,
    SubscriberPolicy SubscriberDefaults,
    SubscriptionLimits SubscriptionLimits,
    TimeProvider Time,
    Func<ulong> NewEpoch,
    ILogger Logger,
    ServerMeter? Meter = null,
    Operations? Operations = null)
{
    public SubscriberTotals Totals { get; init; } = new();

    public Instant Now => Instant.Of(Time);
}
