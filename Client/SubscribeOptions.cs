namespace OrleansEvents.Client;

/// <summary>Where a subscriber's reading begins, and how what it is owed is acknowledged.</summary>
public sealed record SubscribeOptions
{
    /// <summary>
    /// Where ordinary events go on: a cursor, <c>0</c> for everything that is retained, <c>$</c> for what comes from
    /// now on. Null: the whole buffer. What is owed comes whatever this says.
    /// </summary>
    public string? After { get; init; }

    /// <summary>A name for this reader, by which the server counts its reconnects.</summary>
    public string? ClientId { get; init; }

    /// <summary>The time between heartbeats; null takes the server's (10 seconds).</summary>
    public TimeSpan? Heartbeat { get; init; }

    /// <summary>
    /// False: an event is acknowledged when the next one is asked for. True: only
    /// <see cref="SubscriberReader.Acknowledge"/> does.
    /// </summary>
    public bool Manual { get; init; }

    /// <summary>
    /// Which events the subscriber is owed: the others need no acknowledgement, and get none. Null: as its
    /// <see cref="SubscriberPolicy.Owed"/> says, which is asked for when the connection stands.
    /// </summary>
    public OwedEvents? Owed { get; init; }

    /// <summary>
    /// So many acknowledgements are sent without waiting for more: 1 to 10,000; but no more than half of the policy's
    /// <see cref="SubscriberPolicy.MaxInFlight"/>, which is taken for 1,000 unless the policy is asked for (see
    /// <see cref="Owed"/>).
    /// </summary>
    public int BatchSize { get; init; } = 2_500;

    /// <summary>So long an acknowledgement waits for others to go with: 0 sends each at once.</summary>
    public TimeSpan BatchDelay { get; init; } = TimeSpan.FromMilliseconds(5);

    /// <summary>
    /// So many acknowledgements may be on their way: at this number the next event waits until some are stored. At
    /// least 1.
    /// </summary>
    public int MostUnacknowledged { get; init; } = 10_000;

    /// <summary>
    /// When the loop is left in the middle, by an exception or <c>break</c>, its event is rejected, to be delivered
    /// again after this delay. Null: nothing is said, and the server's own back-off applies.
    /// </summary>
    public TimeSpan? UnfinishedDelay { get; init; }

    /// <summary>
    /// So long the end of the reading waits at most for acknowledgements to be stored. It waits for as long as it takes
    /// when the stream itself has ended; then this is how long it waits for what is acknowledged by hand.
    /// </summary>
    public TimeSpan FlushTimeout { get; init; } = TimeSpan.FromSeconds(10);

    internal void Check()
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(BatchSize, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(BatchSize, 10_000);
        ArgumentOutOfRangeException.ThrowIfLessThan(MostUnacknowledged, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(BatchDelay, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfLessThan(FlushTimeout, TimeSpan.Zero);
        if (UnfinishedDelay is { } delay)
            Subscriber.CheckDelay(delay);
    }

    internal ReadOptions Reading(string subscriber) =>
        new() { After = After, ClientId = ClientId, Heartbeat = Heartbeat, Subscriber = subscriber };
}
