using OrleansEvents.Streams;

namespace OrleansEvents.Storage;

/// <summary>A stream's row.</summary>
internal sealed record StreamRow(long Id, long? Deleted, long? CloseEnd, long CloseFloor, long Reserved, long Trimmed,
    long? DurableSince, bool Completed, long CreatedMs, EpochRecord[] Epochs, string? Settings)
{
    /// <summary>As whom somebody appends to it; null: nobody does, or storage does not say it.</summary>
    public long? Owner { get; init; }

    /// <summary>The stream as it is opened again.</summary>
    /// <param name="epochs">With the new one.</param>
    /// <param name="ring">What the last close left, if anything.</param>
    /// <param name="extents">The stored runs.</param>
    /// <param name="keys">Keys that have not expired.</param>
    /// <param name="subscribers">All subscribers.</param>
    public OpenedStream Opened(EpochRecord[] epochs, EventRun? ring, IReadOnlyList<Extent> extents,
        IReadOnlyList<LogKey> keys, IReadOnlyList<SubscriberRecord> subscribers) => new()
        {
            Handle = new LogHandle(Id, epochs[^1].Epoch),
            Created = false,
            CreatedMs = CreatedMs,
            Settings = Settings,
            Epochs = epochs,
            ReservedThrough = EpochHistory.ReservedBy(epochs),
            Completed = Completed,
            DurableSince = DurableSince,
            TrimmedThrough = Trimmed,
            Closed = CloseEnd is { } end ? new GracefulClose(end, CloseFloor, ring ?? new EventRun()) : null,
            Extents = extents,
            Keys = keys,
            Subscribers = subscribers,
        };
}
