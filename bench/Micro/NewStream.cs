using OrleansEvents.Streams;

namespace OrleansEvents.Micro;

/// <summary>A stream as its first use opens it, with numbers enough for any benchmark.</summary>
internal static class NewStream
{
    public static EventStream Open(int ring, Instant now)
    {
        const ulong Epoch = 1;
        var settings = StreamSettings.Default with { Buffer = ring, BufferBytes = StreamSettings.MaxBufferBytes };
        var opened = new OpenedStream
        {
            Handle = new LogHandle(1, Epoch),
            Created = true,
            CreatedMs = now.UnixMs,
            Settings = null,
            Epochs = [new EpochRecord(Epoch, 1, null, false)],
            ReservedThrough = Cursor.SeqLimit - 1,
            Completed = false,
            DurableSince = null,
            TrimmedThrough = 0,
            Closed = null,
            Extents = [],
            Keys = [],
            Subscribers = [],
        };
        using var nothing = new EventRun();
        var feed = new StreamFeed("bench", new FeedMemory());
        return new EventStream(feed, opened, settings, nothing, new StreamLimits(), now);
    }
}
