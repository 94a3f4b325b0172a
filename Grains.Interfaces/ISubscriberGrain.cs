using Orleans.Concurrency;
using OrleansEvents.Streams;

namespace OrleansEvents.Grains.Interfaces;

/// <summary>
/// The one owner of a named subscriber of a stream in a cluster; its key is <c>stream/name</c>. What it refuses is a
/// value. A call that fails with an exception of Orleans may have been carried out, and is made once more: all are such
/// that a second time does no harm.
/// </summary>
[Alias("OrleansEvents.ISubscriberGrain")]
public interface ISubscriberGrain : IGrainWithStringKey
{
    /// <summary>Begins a session, registering the subscriber by its first read; null for one that was removed. The same
    /// session is begun once, however often it is asked for.</summary>
    [Alias("Attach"), ResponseTimeout("00:00:05")]
    Task<Outcome<AttachedSession?>> Attach(AttachRequest request);

    /// <summary>What a session did and asks since its batch before, in order. A batch that comes again is answered as
    /// it was the first time.</summary>
    [Alias("Act"), ResponseTimeout("00:00:05")]
    Task<SessionAnswer> Act(SessionBatch batch);

    /// <summary>The next events for a session to carry beside its line; repeated with the same number until it is
    /// answered. Null: the session is unknown.</summary>
    [Alias("Take"), ResponseTimeout("00:00:05")]
    Task<Outcome<TakenPage?>> Take(long session, long epoch, long number, int limit, int maxBytes);

    /// <summary>Registers the subscriber or changes its policy.</summary>
    [Alias("Configure"), ResponseTimeout("00:00:05")]
    Task<Outcome<ConfiguredSubscriber>> Configure(ReadOnlyMemory<byte> json);

    /// <summary>What is known of it; refused with <c>NOT_FOUND</c>.</summary>
    [Alias("Describe"), ResponseTimeout("00:00:05")]
    Task<Outcome<SubscriberDescription>> Describe();

    /// <summary>Removes it; the value is how much it was owed.</summary>
    [Alias("Remove"), ResponseTimeout("00:00:05")]
    Task<Outcome<int>> Remove();

    /// <summary>Acknowledges; durable when it completes.</summary>
    [Alias("Acknowledge"), ResponseTimeout("00:00:05")]
    Task<Outcome<Acknowledged[]>> Acknowledge(string[]? ids, Cursor? upTo);

    /// <summary>Has events come again.</summary>
    [Alias("Nack"), ResponseTimeout("00:00:05")]
    Task<Outcome<NotAcknowledged[]>> Nack(string[] ids, TimeSpan? delay, string reason, PushFailing? failing);

    /// <summary>What is owed above a number.</summary>
    [Alias("Pending"), ResponseTimeout("00:00:05")]
    Task<Outcome<PackedPage>> Pending(long after, int limit, int maxBytes);

    /// <summary>Dead letters above a number.</summary>
    [Alias("DeadLetters"), ResponseTimeout("00:00:05")]
    Task<Outcome<PackedPage>> DeadLetters(long after, int limit, int maxBytes);

    /// <summary>Puts dead letters back, all or by their ids.</summary>
    [Alias("Replay"), ResponseTimeout("00:00:05")]
    Task<Outcome<int>> Replay(string[]? ids);

    /// <summary>Removes all dead letters.</summary>
    [Alias("Purge"), ResponseTimeout("00:00:05")]
    Task<Outcome<int>> Purge();

    /// <summary>Stops pushing to its webhook.</summary>
    [Alias("DisablePush"), ResponseTimeout("00:00:05")]
    Task<Outcome<bool>> DisablePush(string reason);

    /// <summary>What became visible in its stream: told by the stream's owner, one at a time.</summary>
    [Alias("Follow"), ResponseTimeout("00:00:05")]
    Task Follow(OwedPush push);

    /// <summary>The stream lets go of what is stored up to a number: what is owed of it is parked, and then reported.
    /// With 0 it is only asked to report.</summary>
    [Alias("Lapse"), ResponseTimeout("00:00:05")]
    Task Lapse(long through);

    /// <summary>The stream was deleted, and the subscriber with it.</summary>
    /// <param name="stream">The stream's number in the log.</param>
    [Alias("Orphan"), ResponseTimeout("00:00:05")]
    Task Orphan(long stream);
}

/// <summary>A node's ear for the sessions of its readers. What is lost is asked for by the node.</summary>
[Alias("OrleansEvents.ISessionListener")]
public interface ISessionListener : IGrainObserver
{
    /// <summary>There may be something to take, or the session is over.</summary>
    [Alias("Woken"), OneWay]
    Task Woken(long session, SessionStatus status);
}
