using System.Collections.Concurrent;
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
    SubscriberTotals Totals)
{
    public Instant Now => Instant.Of(Time);

    /// <summary>The subscribers that live here: stream and name.</summary>
    public ConcurrentDictionary<(string Stream, string Name), bool> Active { get; } = new();

    /// <summary>Who is told here of a subscriber that has something to push.</summary>
    public Action<string, string>? PushWanted { get; set; }
}
