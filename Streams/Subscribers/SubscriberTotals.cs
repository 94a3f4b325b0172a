namespace OrleansEvents.Streams;

/// <summary>What the subscribers that are open in this process have done and hold, kept up by their hosts, so that
/// whoever looks need not walk over them. Thread-safe.</summary>
public sealed class SubscriberTotals
{
    private long _queued;
    private long _retried;
    private long _succeeded;
    private long _abandoned;
    private long _retrying;
    private long _pending;
    private long _deadLetters;

    /// <summary>The sums as they are now.</summary>
    public SubscriberFigures Now => new(Volatile.Read(ref _queued), Volatile.Read(ref _retried),
        Volatile.Read(ref _succeeded), Volatile.Read(ref _abandoned), Volatile.Read(ref _retrying),
        Volatile.Read(ref _pending), Volatile.Read(ref _deadLetters));

    /// <summary>Adds the change of one subscriber's figures.</summary>
    public void Add(in SubscriberFigures change)
    {
        if (change == default) return;
        Interlocked.Add(ref _queued, change.Queued);
        Interlocked.Add(ref _retried, change.Retried);
        Interlocked.Add(ref _succeeded, change.Succeeded);
        Interlocked.Add(ref _abandoned, change.Abandoned);
        Interlocked.Add(ref _retrying, change.Retrying);
        Interlocked.Add(ref _pending, change.Pending);
        Interlocked.Add(ref _deadLetters, change.DeadLetters);
    }
}

/// <summary>Counts since the process began, then what is held now.</summary>
public readonly record struct SubscriberFigures(long Queued, long Retried, long Succeeded, long Abandoned,
    long Retrying, long Pending, long DeadLetters)
{
    /// <summary>A subscriber's.</summary>
    public static SubscriberFigures Of(Subscription state) => CountsOf(state) with
    {
        Retrying = state.RetryCount, Pending = state.PendingCount, DeadLetters = state.DeadLetterCount,
    };

    /// <summary>Without what it holds.</summary>
    public static SubscriberFigures CountsOf(Subscription state) => new(state.Counts.Queued, state.Counts.Retried,
        state.Counts.Succeeded, state.Counts.Abandoned, 0, 0, 0);

    /// <summary>The change that takes what is held away.</summary>
    public SubscriberFigures Gone => new(0, 0, 0, 0, -Retrying, -Pending, -DeadLetters);

    /// <summary>The sum of each.</summary>
    public static SubscriberFigures operator +(SubscriberFigures a, SubscriberFigures b) =>
        new(a.Queued + b.Queued, a.Retried + b.Retried, a.Succeeded + b.Succeeded, a.Abandoned + b.Abandoned,
            a.Retrying + b.Retrying, a.Pending + b.Pending, a.DeadLetters + b.DeadLetters);

    /// <summary>The difference of each.</summary>
    public static SubscriberFigures operator -(SubscriberFigures a, SubscriberFigures b) =>
        new(a.Queued - b.Queued, a.Retried - b.Retried, a.Succeeded - b.Succeeded, a.Abandoned - b.Abandoned,
            a.Retrying - b.Retrying, a.Pending - b.Pending, a.DeadLetters - b.DeadLetters);
}
