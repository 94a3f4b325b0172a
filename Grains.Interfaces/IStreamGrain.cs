using OrleansEvents.Streams;

namespace OrleansEvents.Grains.Interfaces;

/// <summary>
/// The one owner of a stream in a cluster; its key is the stream's name. What it refuses is a value. A call that
/// fails with an exception of Orleans may have been carried out: publish again with the same keys.
/// </summary>
[Alias("OrleansEvents.IStreamGrain")]
public interface IStreamGrain : IGrainWithStringKey
{
    /// <summary>Publishes; creates the stream by first use. Completes when the events are in the buffer and, where
    /// durable, on storage.</summary>
    /// <param name="events">Checked events, one at least.</param>
    /// <param name="each">Whether the answer has an entry for each event.</param>
    [Alias("Publish"), ResponseTimeout("00:00:10")]
    Task<Outcome<PublishAnswer>> Publish(PackedEvents events, bool each);

    /// <summary>Publishes requests that met on a node, in their order, each for itself: an answer for each.</summary>
    [Alias("PublishAll"), ResponseTimeout("00:00:10")]
    Task<Outcome<PublishAnswer>[]> PublishAll(PublishBatch batch);

    /// <summary>What comes after a position, from the buffer and, of a durable stream, from storage. Refused with
    /// <c>NOT_FOUND</c> when there is no such stream, and with <c>STORE_UNAVAILABLE</c>.</summary>
    /// <param name="from">The position; a gap behind it is told once, on the first page.</param>
    /// <param name="maxEvents">Events at most; 1 to 10,000.</param>
    /// <param name="maxBytes">Bytes of frames at most, unless the first event alone is larger; 1 to 8 MiB.</param>
    [Alias("Read"), ResponseTimeout("00:00:05")]
    Task<Outcome<ReadPage>> Read(ReadFrom from, int maxEvents, int maxBytes);

    /// <summary>Events of a durable stream, or critical ones of any, from storage.</summary>
    [Alias("ReadStored"), ResponseTimeout("00:00:05")]
    Task<Outcome<PackedRun>> ReadStored(long after, int maxEvents, int maxBytes);

    /// <summary>What the buffer holds behind the position of a node's copy, or what the copy is to be instead; also of
    /// a stream that does not exist.</summary>
    /// <param name="position">Where the copy is; its epoch is 0 when it is empty.</param>
    /// <param name="maxBytes">Bytes of frames at most, unless the first event alone is larger; 1 to 8 MiB.</param>
    /// <param name="dense">Whether the copy reads <see cref="FillPage.Dense"/>.</param>
    [Alias("Fill"), ResponseTimeout("00:00:05")]
    Task<Outcome<FillPage>> Fill(Cursor position, int maxBytes, bool dense = false);

    /// <summary>What is known of the stream; refused with <c>NOT_FOUND</c>.</summary>
    [Alias("Describe"), ResponseTimeout("00:00:05")]
    Task<Outcome<DescribedStream>> Describe();

    /// <summary>Creates the stream or changes its settings: <paramref name="json"/> has any of their members.</summary>
    [Alias("Configure"), ResponseTimeout("00:00:05")]
    Task<Outcome<ConfiguredStream>> Configure(ReadOnlyMemory<byte> json);

    /// <summary>Ends the stream: readers get the rest, then <c>end</c>. Refused with <c>NOT_FOUND</c>; a completed one
    /// stays as it is.</summary>
    [Alias("Complete"), ResponseTimeout("00:00:10")]
    Task<Outcome<DescribedStream>> Complete();

    /// <summary>Removes the stream with all it holds; the value is its head. Refused with <c>NOT_FOUND</c>.</summary>
    [Alias("Delete"), ResponseTimeout("00:00:10")]
    Task<Outcome<long>> Delete();

    /// <summary>Begins or renews a tap: everything that becomes visible from now on is pushed to it, until its lease
    /// ends. A tap of a stream that does not exist waits for it. The answer tells the head: a tap that does not come
    /// to have it is deaf, and reads on by itself. Refused with <c>RATE_LIMITED</c> when there are too many.</summary>
    /// <param name="tap">The tap.</param>
    /// <param name="readers">How many read there.</param>
    /// <param name="dense">Whether the tap reads <see cref="TapPush.Dense"/>.</param>
    [Alias("Watch"), ResponseTimeout("00:00:05")]
    Task<Outcome<TapLease>> Watch(IStreamTap tap, int readers, bool dense = false);

    /// <summary>Ends a tap.</summary>
    [Alias("Unwatch"), ResponseTimeout("00:00:05")]
    Task Unwatch(IStreamTap tap);
}
