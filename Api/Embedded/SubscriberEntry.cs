using OrleansEvents.Streams;

namespace OrleansEvents.Api.Embedded;

/// <summary>A subscriber of an open stream: its state machine, its sessions, the save that is under way and when it
/// wants to be looked at.</summary>
internal sealed class SubscriberEntry(Subscription state)
{
    public Subscription State { get; } = state;

    /// <summary>What of it is in the <see cref="SubscriberTotals"/>: not what it counted before this opening.</summary>
    public SubscriberFigures Told { get; set; } = SubscriberFigures.CountsOf(state);

    /// <summary>Open sessions.</summary>
    public List<SubscriberSession> Sessions { get; } = [];

    /// <summary>Completes when the subscriber is registered and knows what it is owed; false: storage failed.</summary>
    public Task<bool> Ready { get; set; } = Task.FromResult(true);

    /// <summary>Whether it is registered and knows what it is owed.</summary>
    public bool IsRegistered { get; set; }

    /// <summary>Whether a save is under way.</summary>
    public bool Saving { get; set; }

    /// <summary>Completes when nothing is being saved any more.</summary>
    public Task Saves { get; set; } = Task.CompletedTask;

    /// <summary>Whoever waits for the next save.</summary>
    public TaskCompletionSource<bool>? NextSave { get; set; }

    /// <summary>When what nobody waits for is saved, monotonic.</summary>
    public long SaveAtMs { get; set; } = long.MaxValue;

    /// <summary>The look that was asked for, monotonic.</summary>
    public long LookAtMs { get; set; } = long.MaxValue;

    /// <summary>Whether something was done with it in this turn.</summary>
    public bool IsTouched { get; set; }

    /// <summary>Whether somebody was asked to push to it, and has not ended yet.</summary>
    public bool IsPushAsked { get; set; }
}
