using OrleansEvents.Streams;

namespace OrleansEvents.Grains.Subscribers;

/// <summary>What a node sets for all subscribers that live on it.</summary>
public sealed record SubscriberGrainOptions
{
    /// <summary>What a subscriber has until it is told otherwise.</summary>
    public SubscriberPolicy Defaults { get; init; } = SubscriberPolicy.Default;

    /// <summary>Bounds of a subscriber.</summary>
    public SubscriptionLimits Limits { get; init; } = SubscriptionLimits.Default;

    /// <summary>Subscribers of one stream at most; another is <c>RATE_LIMITED</c>.</summary>
    public int PerStream { get; init; } = 10_000;

    /// <summary>For how long a session is kept without a word from its node.</summary>
    public TimeSpan SessionLease { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>How often an active subscriber reports to its stream's owner, and asks what it has missed.</summary>
    public TimeSpan ReportEvery { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>For how long a subscriber is told what becomes visible without reporting.</summary>
    public TimeSpan ReportLease { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>What nobody waits for, attempts say, is on storage after so long.</summary>
    public TimeSpan Checkpoint { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>How often one with a webhook is reminded that it has one: who had it may have died. The silo's
    /// least period must be no longer.</summary>
    public TimeSpan RemindEvery { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>A subscriber that nobody asks for and that has nothing to do is unloaded after so long.</summary>
    public TimeSpan IdleAfter { get; init; } = TimeSpan.FromMinutes(1);
}
