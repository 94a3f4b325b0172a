using OrleansEvents.Streams;

namespace OrleansEvents.Storage;

/// <summary>What an opening does to a stream's epochs: the same in every store.</summary>
internal static class EpochHistory
{
    /// <summary>The history of a stream that has none: made new, or again over a tombstone.</summary>
    public static EpochRecord[] Begin(ulong epoch, long first) => [new(epoch, first, null, false)];

    /// <summary>Ends the current epoch where its owner closed it, or, after a crash, at the last number reserved:
    /// any of them may have been given.</summary>
    public static EpochRecord[] Next(IReadOnlyList<EpochRecord> epochs, ulong epoch, long? closedAt, long reserved)
    {
        var end = closedAt ?? reserved;
        return Follow(epochs, new EpochRecord(epoch, end + 1, null, false), end, closedAt is not null);
    }

    /// <summary>The owner stays and gives up an epoch in which a write's outcome is unknown. A repetition with the
    /// same epoch takes the place of the first try, which may have happened.</summary>
    public static EpochRecord[] Reopen(IReadOnlyList<EpochRecord> epochs, ulong epoch, long next)
    {
        if (epochs[^1].Epoch == epoch && epochs.Count > 1) epochs = [.. epochs.Take(epochs.Count - 1)];
        return Follow(epochs, new EpochRecord(epoch, next, null, false), next - 1, graceful: true);
    }

    /// <summary>The last number that an opening with these epochs reserves.</summary>
    public static long ReservedBy(IReadOnlyList<EpochRecord> epochs) => epochs[^1].First - 1 + IEventLog.NumberBlock;

    private static EpochRecord[] Follow(IReadOnlyList<EpochRecord> epochs, EpochRecord next, long end, bool graceful)
    {
        var ended = epochs[^1] with { End = end, Graceful = graceful };
        var kept = epochs.Take(epochs.Count - 1).TakeLast(IEventLog.EpochsKept - 2);
        return [.. kept, ended, next];
    }
}
