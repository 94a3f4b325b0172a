namespace OrleansEvents.Streams;

/// <summary>
/// The port to durable storage. One owner has a stream open at a time: each opening records a new epoch, and every
/// write names the epoch it belongs to and is refused with <see cref="LogFencedException"/> when another has been
/// recorded since. A write's task completes when it is on storage; writes of one handle take effect in the order of
/// the calls. Any failure of storage is <see cref="LogUnavailableException"/>: the write may or may not have happened.
/// Memory that is passed in stays valid until the task completes. All members may be called from any thread.
/// </summary>
public interface IEventLog : IAsyncDisposable
{
    /// <summary>
    /// Opens a stream in one transaction: takes <paramref name="epoch"/>, consumes a graceful close together with
    /// its saved ring, reserves <see cref="NumberBlock"/> numbers. Null when there is no such stream (or only the
    /// tombstone of a deleted one) and <paramref name="create"/> is false. A created stream that has a tombstone
    /// goes on behind its numbers, with a history of its own.
    /// </summary>
    Task<OpenedStream?> Open(string stream, ulong epoch, bool create, long nowMs);

    /// <summary>
    /// Takes a new epoch for a stream that this process has kept open while a write's outcome was unknown: deletes
    /// all events and keys above <paramref name="confirmed"/>; the epoch before ends gracefully at
    /// <paramref name="next"/> - 1 and the new one begins there.
    /// </summary>
    Task<LogHandle> Reopen(LogHandle handle, ulong epoch, long confirmed, long next);

    /// <summary>Appends runs (in order, each next to itself; between them there may be events that are not logged)
    /// and the keys of their events, all or nothing.</summary>
    Task Append(LogHandle handle, IReadOnlyList<EventRun> runs, IReadOnlyList<LogKey> keys);

    /// <summary>Reserves all numbers up to and with <paramref name="through"/>.</summary>
    Task Reserve(LogHandle handle, long through);

    /// <summary>Records that the epoch ended gracefully at <paramref name="close"/>, and keeps its ring for the next
    /// opening, in one transaction.</summary>
    Task Close(LogHandle handle, GracefulClose close);

    /// <summary>Saves the stream's own settings (JSON text, opaque here) and since when it is whole on
    /// storage.</summary>
    Task SaveSettings(LogHandle handle, string settings, long? durableSince);

    /// <summary>Records that the stream is completed: nothing is appended after.</summary>
    Task Complete(LogHandle handle);

    /// <summary>Removes a stream with its events, keys, subscribers and ring; a tombstone with its numbers
    /// stays.</summary>
    Task Delete(LogHandle handle, long nowMs);

    /// <summary>Deletes events up to and with <paramref name="through"/> (whole runs only: one that goes beyond
    /// stays) and keys that expired before <paramref name="nowMs"/>. Remembers <paramref name="through"/>.</summary>
    Task Trim(LogHandle handle, long through, long nowMs);

    /// <summary>Saves a subscriber's state (opaque here), and in the same transaction parks copies of events for it
    /// and removes parked ones. Removing comes first; parking what is parked replaces it.</summary>
    Task SaveSubscriber(LogHandle handle, SubscriberWrite write);

    /// <summary>Removes a subscriber's state and all that is parked for it.</summary>
    Task RemoveSubscriber(LogHandle handle, string name);

    /// <summary>Stored events after a number, oldest first, at most so many events and bytes (at least one event if
    /// there is any). The caller disposes the run.</summary>
    Task<EventRun> Read(long id, long after, int maxEvents, int maxBytes);

    /// <summary>The newest stored events, in order, at most so many events and bytes. The caller disposes the
    /// run.</summary>
    Task<EventRun> ReadNewest(long id, int maxEvents, int maxBytes);

    /// <summary>What can be owed of the stored events after a number, in order: the critical ones, or all; their
    /// types only when asked for, since that reads whole frames.</summary>
    Task<OwedMark[]> ReadOwed(long id, long after, bool all, bool types);

    /// <summary>What is parked for a subscriber after a number, in seq order, at most so many events and bytes (at
    /// least one event if there is any). The caller disposes the page's run.</summary>
    Task<ParkedPage> ReadParked(long id, string subscriber, long after, int maxEvents, int maxBytes);

    /// <summary>Names of the streams, not deleted, with a subscriber whose last state said
    /// <see cref="SubscriberWrite.Wakes"/>, in ordinal order.</summary>
    Task<IReadOnlyList<string>> StreamsToWake();

    /// <summary>Streams by name in ordinal order, after <paramref name="after"/>, without tombstones.</summary>
    Task<IReadOnlyList<StoredStream>> List(string prefix, string? after, int limit);

    /// <summary>Whether the name is the tombstone of a deleted stream.</summary>
    Task<bool> IsDeleted(string stream);

    /// <summary>Removes tombstones of streams deleted before <paramref name="beforeMs"/>.</summary>
    Task ForgetTombstones(long beforeMs);

    /// <summary>Writes and commits something: returns normally only if storage takes writes.</summary>
    Task Probe();

    /// <summary>How many numbers an opening reserves, and by how many a reservation is extended.</summary>
    const long NumberBlock = 1L << 24;

    /// <summary>How many epochs a stream remembers.</summary>
    const int EpochsKept = 16;
}

/// <summary>A stream as opened by one owner: what every write names.</summary>
/// <param name="Id">The stream's number in the log.</param>
/// <param name="Epoch">The opening that writes.</param>
public readonly record struct LogHandle(long Id, ulong Epoch);

/// <summary>A key whose event is durable.</summary>
/// <param name="Key">The publisher's key.</param>
/// <param name="Hash">First 16 bytes of a hash of the content, to tell another content under the same key.</param>
/// <param name="Epoch">The epoch in which the event was numbered.</param>
/// <param name="Seq">The event's number.</param>
/// <param name="ExpiresMs">When the key may be forgotten, Unix milliseconds.</param>
public sealed record LogKey(string Key, UInt128 Hash, ulong Epoch, long Seq, long ExpiresMs);

/// <summary>One opening of a stream.</summary>
/// <param name="Epoch">Its random number.</param>
/// <param name="First">The first number it could give.</param>
/// <param name="End">The last number it can have given, once it has ended.</param>
/// <param name="Graceful">Whether it ended with its ring kept: no event was lost at its end.</param>
public readonly record struct EpochRecord(ulong Epoch, long First, long? End, bool Graceful);

/// <summary>What a graceful close keeps.</summary>
/// <param name="End">The last number given.</param>
/// <param name="Floor">Every event above it that is not in storage's runs is in the ring.</param>
/// <param name="Ring">The events of the ring, oldest first.</param>
public sealed record GracefulClose(long End, long Floor, EventRun Ring);

/// <summary>Stored runs, as much as trimming must know: a run or several merged.</summary>
public readonly record struct Extent(long First, long Last, int Count, long Bytes, long AppendedMs);

/// <summary>A subscriber's stored state, opaque to the log, and what is parked for it, in seq order.</summary>
public sealed record SubscriberRecord(string Name, ReadOnlyMemory<byte> State, IReadOnlyList<ParkedMark> Parked);

/// <summary>A parked event, as much as the subscriber's owner keeps in memory of it.</summary>
/// <param name="Seq">Its number.</param>
/// <param name="ParkedMs">When it was parked, Unix milliseconds.</param>
public readonly record struct ParkedMark(long Seq, long ParkedMs);

/// <summary>What a stored event is, for who may be owed it.</summary>
/// <param name="Seq">Its number.</param>
/// <param name="Critical">Whether it is critical.</param>
/// <param name="Type">Its type's text as the frame has it (JSON-escaped, without quotes); null when not asked
/// for.</param>
public readonly record struct OwedMark(long Seq, bool Critical, byte[]? Type);

/// <summary>One write for a subscriber, all or nothing.</summary>
/// <param name="Name">The subscriber.</param>
/// <param name="State">Its state.</param>
public sealed record SubscriberWrite(string Name, ReadOnlyMemory<byte> State)
{
    /// <summary>Whether the stream is to be opened when a server starts, since this subscriber is pushed to.</summary>
    public bool Wakes { get; init; }

    /// <summary>Ranges of numbers (both ends included) of parked events to remove.</summary>
    public IReadOnlyList<(long First, long Last)> Unpark { get; init; } = [];

    /// <summary>Events to park, copied whole; null: none.</summary>
    public EventRun? Park { get; init; }

    /// <summary>A note (opaque here) for each event of <see cref="Park"/>, in order.</summary>
    public IReadOnlyList<ReadOnlyMemory<byte>> Notes { get; init; } = [];

    /// <summary>When they are parked, Unix milliseconds.</summary>
    public long ParkedMs { get; init; }

    /// <summary>The numbers of <see cref="Park"/>, in order.</summary>
    public long[] ParkedSeqs => Park is { } park ? park.Seqs() : [];
}

/// <summary>Parked events with what was noted of each.</summary>
public sealed record ParkedPage(EventRun Events, IReadOnlyList<ParkedMark> Marks,
    IReadOnlyList<ReadOnlyMemory<byte>> Notes);

/// <summary>A stream in a listing of what is stored.</summary>
public sealed record StoredStream(string Name, bool Completed, long CreatedMs);

/// <summary>What opening a stream returns: all that must be in memory.</summary>
public sealed record OpenedStream
{
    /// <summary>What writes must name.</summary>
    public required LogHandle Handle { get; init; }

    /// <summary>Whether the stream was made by this opening.</summary>
    public required bool Created { get; init; }

    /// <summary>When the stream was made, Unix milliseconds.</summary>
    public required long CreatedMs { get; init; }

    /// <summary>The stream's own settings as JSON text, or null.</summary>
    public required string? Settings { get; init; }

    /// <summary>Oldest first; the last is this opening, without an end.</summary>
    public required IReadOnlyList<EpochRecord> Epochs { get; init; }

    /// <summary>The last number reserved.</summary>
    public required long ReservedThrough { get; init; }

    /// <summary>Whether the stream has been completed.</summary>
    public required bool Completed { get; init; }

    /// <summary>Every event above this number is on storage (down to what was trimmed); null: not a durable
    /// stream.</summary>
    public required long? DurableSince { get; init; }

    /// <summary>Everything up to here was trimmed from storage; 0: nothing.</summary>
    public required long TrimmedThrough { get; init; }

    /// <summary>What the last owner's graceful close kept; null after a crash and for a new stream. The caller
    /// disposes its ring.</summary>
    public required GracefulClose? Closed { get; init; }

    /// <summary>The stored runs, oldest first; at most 4,096, neighbours merged beyond.</summary>
    public required IReadOnlyList<Extent> Extents { get; init; }

    /// <summary>Keys that have not expired.</summary>
    public required IReadOnlyList<LogKey> Keys { get; init; }

    /// <summary>All subscribers.</summary>
    public required IReadOnlyList<SubscriberRecord> Subscribers { get; init; }
}

/// <summary>Storage did not take a write or answer a read; a write may or may not have happened.</summary>
public sealed class LogUnavailableException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>Another owner has opened the stream since: this one must stop.</summary>
public sealed class LogFencedException(string message) : Exception(message);

/// <summary>Storage refuses to be opened at all (in use, not writable, newer schema, damaged): one line says
/// why.</summary>
public sealed class LogRefusedException(string message, Exception? inner = null) : Exception(message, inner);
