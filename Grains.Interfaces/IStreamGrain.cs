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
    [Alias("Publish")]
    Task<Outcome<PublishAnswer>> Publish(PackedEvents events, bool each);

    /// <summary>What comes after a position, from the buffer and, of a durable stream, from storage. Refused with
    /// <c>NOT_FOUND</c> when there is no such stream, and with <c>STORE_UNAVAILABLE</c>.</summary>
    /// <param name="from">The position; a gap behind it is told once, on the first page.</param>
    /// <param name="maxEvents">Events at most; 1 to 10,000.</param>
    /// <param name="maxBytes">Bytes of frames at most, unless the first event alone is larger; 1 to 8 MiB.</param>
    [Alias("Read")]
    Task<Outcome<ReadPage>> Read(ReadFrom from, int maxEvents, int maxBytes);

    /// <summary>What is known of the stream; refused with <c>NOT_FOUND</c>.</summary>
    [Alias("Describe")]
    Task<Outcome<DescribedStream>> Describe();

    /// <summary>Creates the stream or changes its settings: <paramref name="json"/> has any of their members.</summary>
    [Alias("Configure")]
    Task<Outcome<ConfiguredStream>> Configure(ReadOnlyMemory<byte> json);

    /// <summary>Begins or renews a tap: everything that becomes visible from now on is pushed to it, until its lease
    /// ends. A tap of a stream that does not exist waits for it. The answer tells the head: a tap that does not come
    /// to have it is deaf, and reads on by itself. Refused with <c>RATE_LIMITED</c> when there are too many.</summary>
    [Alias("Watch")]
    Task<Outcome<TapLease>> Watch(IStreamTap tap);

    /// <summary>Ends a tap.</summary>
    [Alias("Unwatch")]
    Task Unwatch(IStreamTap tap);
}
