using OrleansEvents.Streams;

namespace OrleansEvents.Storage;

/// <summary>What opening a stream returns when it was made by that.</summary>
internal static class NewStream
{
    public static OpenedStream Opened(LogHandle handle, long nowMs, IReadOnlyList<EpochRecord> epochs,
        long reserved) => new()
        {
            Handle = handle,
            Created = true,
            CreatedMs = nowMs,
            Settings = null,
            Epochs = epochs,
            ReservedThrough = reserved,
            Completed = false,
            DurableSince = null,
            TrimmedThrough = 0,
            Closed = null,
            Extents = [],
            Keys = [],
            Subscribers = [],
        };
}
