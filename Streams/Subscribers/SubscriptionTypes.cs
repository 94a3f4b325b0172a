namespace OrleansEvents.Streams;

/// <summary>Bounds that the server sets for every subscriber.</summary>
/// <param name="Parked">Dead letters of a subscriber at most; beyond, the oldest become a listed range.</param>
/// <param name="ParkedAge">How long a dead letter is kept.</param>
/// <param name="OrdinaryAge">How long an ordinary event is owed.</param>
public sealed record SubscriptionLimits(int Parked, TimeSpan ParkedAge, TimeSpan OrdinaryAge)
{
    /// <summary>10,000 for seven days; ordinary events for 30 s.</summary>
    public static SubscriptionLimits Default { get; } =
        new(10_000, TimeSpan.FromDays(7), TimeSpan.FromSeconds(30));
}

/// <summary>An event that has become visible, or is stored, for who may be owed it.</summary>
/// <param name="Seq">Its number.</param>
/// <param name="AppendedMs">When it was appended, Unix milliseconds.</param>
/// <param name="Critical">Whether it is critical.</param>
/// <param name="Durable">Whether it is on storage.</param>
/// <param name="Type">Its type's canonical bytes; null when nobody asks for types.</param>
public readonly record struct ShownEvent(long Seq, long AppendedMs, bool Critical, bool Durable, byte[]? Type);

/// <summary>What an acknowledgement did.</summary>
public enum AckResult
{
    /// <summary>It was owed or parked, and is acknowledged now.</summary>
    Acknowledged,

    /// <summary>It had been acknowledged, or given up.</summary>
    Already,

    /// <summary>No event that was owed to this subscriber.</summary>
    Unknown,
}

/// <summary>What a negative acknowledgement did.</summary>
public enum NackResult
{
    /// <summary>It will be delivered again.</summary>
    Scheduled,

    /// <summary>Its attempts are used up: it is parked.</summary>
    Parked,

    /// <summary>It had been acknowledged or given up.</summary>
    Already,

    /// <summary>No event that is owed, or one that was not delivered yet.</summary>
    Unknown,
}

/// <summary>What the line of a connection does with an event.</summary>
public enum LineCarry
{
    /// <summary>It is not owed: as for anybody.</summary>
    Plain,

    /// <summary>It is owed and goes out now: its delivery is to be told.</summary>
    Owed,

    /// <summary>It is left out: acknowledged, carried before, or to come beside the line.</summary>
    Skip,
}

/// <summary>An event given to a connection: its number, and which delivery this is.</summary>
public readonly record struct OwedEvent(long Seq, int Attempt);

/// <summary>A failed delivery.</summary>
/// <param name="Ms">When, Unix milliseconds.</param>
/// <param name="Reason">Why, a word or two.</param>
public readonly record struct PastFailure(long Ms, string Reason);

/// <summary>How long a webhook has only failed.</summary>
/// <param name="SinceMs">Its first failure since it last took an event, Unix milliseconds.</param>
/// <param name="LastMs">Its last, likewise: while nothing is sent it does not fail.</param>
public readonly record struct PushFailing(long SinceMs, long LastMs);

/// <summary>An owed event as an operator sees it.</summary>
/// <param name="Seq">Its number.</param>
/// <param name="Attempts">Deliveries so far.</param>
/// <param name="NextRetryMs">When it is tried again at the latest, Unix milliseconds; null when it waits for a
/// connection.</param>
/// <param name="History">Its failures.</param>
public readonly record struct PendingEvent(long Seq, int Attempts, long? NextRetryMs,
    IReadOnlyList<PastFailure> History);

/// <summary>Counts of a subscriber since its registration.</summary>
/// <param name="Queued">Failures that led to another attempt.</param>
/// <param name="Retried">Deliveries beyond the first.</param>
/// <param name="Succeeded">Events acknowledged.</param>
/// <param name="Abandoned">Events parked, or ordinary ones given up by age.</param>
public readonly record struct SubscriberCounts(long Queued, long Retried, long Succeeded, long Abandoned)
{
    /// <summary>The counts of both.</summary>
    public static SubscriberCounts operator +(SubscriberCounts a, SubscriberCounts b) =>
        new(a.Queued + b.Queued, a.Retried + b.Retried, a.Succeeded + b.Succeeded, a.Abandoned + b.Abandoned);
}

/// <summary>Dead letters past their limit: numbers of the first and the last, and how many.</summary>
public readonly record struct ExpiredRange(long First, long Last, long Count);

/// <summary>An event to be parked, and what is noted of it.</summary>
public readonly record struct ParkingNote(long Seq, ReadOnlyMemory<byte> Note);

/// <summary>A save to be performed: the state, and what changes with it.</summary>
/// <param name="State">What is stored.</param>
/// <param name="Wakes">Whether the subscriber is pushed to.</param>
/// <param name="Acknowledging">Events that are done when it has succeeded.</param>
/// <param name="Parking">Events to park, with their notes; the host reads their bytes.</param>
/// <param name="Unpark">Parked events to remove.</param>
/// <param name="Replaying">Parked events that are owed again when it has succeeded.</param>
public sealed record SubscriptionSave(ReadOnlyMemory<byte> State, bool Wakes, IReadOnlyList<long> Acknowledging,
    IReadOnlyList<ParkingNote> Parking, IReadOnlyList<(long First, long Last)> Unpark, IReadOnlyList<long> Replaying)
{
    /// <summary>What is written of it for a subscriber.</summary>
    /// <param name="name">The subscriber.</param>
    /// <param name="parked">Those of the events of <see cref="Parking"/> that could be read.</param>
    /// <param name="parkedMs">When they are parked, Unix milliseconds.</param>
    public SubscriberWrite WriteOf(string name, EventRun? parked, long parkedMs)
    {
        var write = new SubscriberWrite(name, State) { Wakes = Wakes, Unpark = Unpark };
        if (parked is not { Count: > 0 }) return write;
        var notes = Parking.ToDictionary(note => note.Seq, note => note.Note);
        var kept = new List<ReadOnlyMemory<byte>>(parked.Count);
        foreach (ref readonly var slot in parked.Slots) kept.Add(notes[slot.Seq]);
        return write with { Park = parked, Notes = kept, ParkedMs = parkedMs };
    }
}
