using OrleansEvents.Streams;

namespace OrleansEvents.Api.Embedded;

/// <summary>A subscriber of an open stream: its state machine, its connections, and the save that is under
/// way.</summary>
internal sealed class SubscriberEntry(Subscription state)
{
    public Subscription State { get; } = state;

    /// <summary>Connections now.</summary>
    public int Connections { get; set; }

    /// <summary>Completes when the subscriber is registered and knows what it is owed; false: storage failed.</summary>
    public Task<bool> Ready { get; set; } = Task.FromResult(true);

    /// <summary>Whether a save is under way.</summary>
    public bool Saving { get; set; }

    /// <summary>Completes when nothing is being saved any more.</summary>
    public Task Saves { get; set; } = Task.CompletedTask;

    /// <summary>Whoever waits for the next save.</summary>
    public TaskCompletionSource<bool>? NextSave { get; set; }
}
