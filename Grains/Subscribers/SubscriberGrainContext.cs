using Microsoft.Extensions.Logging;
using OrleansEvents.Streams;

namespace OrleansEvents.Grains.Subscribers;

/// <summary>What every subscriber of a silo shares.</summary>
internal sealed record SubscriberGrainContext(
    IEventLog Log,
    ISubscriberLog Rows,
    SubscriberGrainOptions Options,
    TimeProvider Time,
    ILogger<SubscriberGrain> Logger,
    SubscriberTotals Totals,
    ClusterCounts Counts)
{
    public Instant Now => Instant.Of(Time);

    /// <summary>Who is told here of a subscriber that has something to push.</summary>
    public Action<string, string>? PushWanted { get; set; }
}
