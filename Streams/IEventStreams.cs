namespace OrleansEvents.Streams;

/// <summary>
/// The port to the engine: what the API's endpoints call, whichever engine is behind. A refusal is a value; nothing
/// here throws for what a client or storage did. All members may be called from any thread.
/// </summary>
public interface IEventStreams
{
    /// <summary>Publishes; creates the stream by first use. Completes when the events are in the buffer and, where
    /// durable, on storage.</summary>
    /// <param name="stream">A valid name.</param>
    /// <param name="events">Checked events, one at least; copied before the task completes.</param>
    /// <param name="each">Filled with an entry for each event when given.</param>
    /// <param name="cancel">Gives up waiting; what was appended stays.</param>
    ValueTask<Outcome<Published>> Publish(string stream, ReadOnlyMemory<NewEvent> events,
        List<PublishedEvent>? each, CancellationToken cancel);

    /// <summary>A stream's read side, to be disposed. Never creates the stream: the feed of one that is absent waits
    /// for it. Refused with <c>RATE_LIMITED</c> when too many absent streams are waited for.</summary>
    ValueTask<Outcome<FeedLease>> Follow(string stream);

    /// <summary>Follows every stream that a pattern matches: those that are there, and those that open later, which
    /// <paramref name="appeared"/> is given (once null when one more would be too many). Refused with
    /// <c>INVALID_INPUT</c> when too many match.</summary>
    ValueTask<Outcome<IPatternLease>> FollowPattern(StreamPattern pattern, Action<FeedLease?> appeared);

    /// <summary>Events of a durable stream, or critical ones of any, from storage. The caller disposes the
    /// run.</summary>
    ValueTask<Outcome<EventRun>> ReadStored(string stream, long after, int maxEvents, int maxBytes);

    /// <summary>Creates a stream or changes its settings: <paramref name="json"/> has any of their members.</summary>
    ValueTask<Outcome<ConfiguredStream>> Configure(string stream, ReadOnlyMemory<byte> json, CancellationToken cancel);

    /// <summary>What is known of a stream; refused with <c>NOT_FOUND</c>.</summary>
    ValueTask<Outcome<StreamDescription>> Describe(string stream);

    /// <summary>Streams by name, with what is known without opening them.</summary>
    ValueTask<Outcome<StreamPage>> List(string prefix, string? after, int limit);

    /// <summary>Ends a stream: readers get the rest, then <c>end</c>.</summary>
    ValueTask<Outcome<StreamDescription>> Complete(string stream, CancellationToken cancel);

    /// <summary>Removes a stream with all it holds.</summary>
    ValueTask<Outcome<long>> Delete(string stream, CancellationToken cancel);

    /// <summary>Who is told of a subscriber (stream, name) that has a webhook and something to push, and no
    /// <see cref="SessionKind.Push"/> session. May be told again; called on any thread, and must not block.</summary>
    Action<string, string>? PushWanted { get; set; }

    /// <summary>Attaches a reader as a named subscriber, registering it by its first read; a push only to one that is
    /// registered with a webhook. Null when the subscriber was removed less than an hour ago: it is not registered
    /// again by reading. Refused with <c>RATE_LIMITED</c> (too many subscribers, or connections of one) or
    /// <c>INVALID_INPUT</c> (a read on behalf of one that has a webhook).</summary>
    ValueTask<Outcome<ISubscriberSession?>> Subscribe(string stream, string subscriber, SessionKind kind);

    /// <summary>Registers a subscriber or changes its policy: <paramref name="json"/> has any of its members. Creates
    /// the stream.</summary>
    ValueTask<Outcome<ConfiguredSubscriber>> ConfigureSubscriber(string stream, string subscriber,
        ReadOnlyMemory<byte> json, CancellationToken cancel);

    /// <summary>A stream's subscribers by name.</summary>
    ValueTask<Outcome<IReadOnlyList<SubscriberDescription>>> Subscribers(string stream);

    /// <summary>What is known of a subscriber; refused with <c>NOT_FOUND</c>.</summary>
    ValueTask<Outcome<SubscriberDescription>> DescribeSubscriber(string stream, string subscriber);

    /// <summary>Removes a subscriber: it is owed nothing any more, and for an hour reading does not register it. The
    /// value is how much it was owed.</summary>
    ValueTask<Outcome<int>> RemoveSubscriber(string stream, string subscriber, CancellationToken cancel);

    /// <summary>Acknowledges events by their ids, or all delivered up to a cursor; durable when it completes.</summary>
    ValueTask<Outcome<IReadOnlyList<Acknowledged>>> Acknowledge(string stream, string subscriber, AckRequest request,
        CancellationToken cancel);

    /// <summary>Says that events could not be taken: they come again, or are parked when their attempts are used
    /// up.</summary>
    ValueTask<Outcome<IReadOnlyList<NotAcknowledged>>> Nack(string stream, string subscriber, NackRequest request,
        CancellationToken cancel);

    /// <summary>What a subscriber is owed above a number, oldest first. The caller disposes the page's
    /// events.</summary>
    ValueTask<Outcome<SubscriberPage>> Pending(string stream, string subscriber, long after, int limit);

    /// <summary>A subscriber's dead letters above a number, oldest first. The caller disposes the page's
    /// events.</summary>
    ValueTask<Outcome<SubscriberPage>> DeadLetters(string stream, string subscriber, long after, int limit);

    /// <summary>Puts dead letters back, all (null) or by their ids: they are owed again. The value is how many
    /// were.</summary>
    ValueTask<Outcome<int>> ReplayDeadLetters(string stream, string subscriber, IReadOnlyList<string>? ids,
        CancellationToken cancel);

    /// <summary>Removes all dead letters. The value is how many there were.</summary>
    ValueTask<Outcome<int>> PurgeDeadLetters(string stream, string subscriber, CancellationToken cancel);

    /// <summary>The subscribers of all streams that are open here, by stream and name; in a cluster those that live on
    /// this node.</summary>
    ValueTask<Outcome<IReadOnlyList<OpenSubscriber>>> OpenSubscribers();

    /// <summary>Stops pushing to a subscriber until its policy is set again.</summary>
    ValueTask<Outcome<bool>> DisablePush(string stream, string subscriber, string reason);
}

/// <summary>A value or a refusal.</summary>
public readonly struct Outcome<T>
{
    internal Outcome(T? value, Refusal? refusal) => (Value, Refusal) = (value, refusal);

    /// <summary>The value; meaningless beside a refusal.</summary>
    public T? Value { get; }

    /// <summary>The refusal, or null.</summary>
    public Refusal? Refusal { get; }

    /// <summary>A value.</summary>
    public static implicit operator Outcome<T>(T value) => new(value, null);

    /// <summary>A refusal.</summary>
    public static implicit operator Outcome<T>(Refusal refusal) => new(default, refusal);
}

/// <summary>Makes outcomes where no conversion can: of a value behind an interface.</summary>
public static class Outcome
{
    /// <summary>A value.</summary>
    public static Outcome<T> Of<T>(T value) => new(value, null);
}

/// <summary>Keeps a feed filled while somebody reads it.</summary>
public sealed class FeedLease(StreamFeed feed, Action release) : IDisposable
{
    private Action? _release = release;

    /// <summary>The feed.</summary>
    public StreamFeed Feed { get; } = feed;

    /// <summary>Lets the feed go; once is enough.</summary>
    public void Dispose() => Interlocked.Exchange(ref _release, null)?.Invoke();
}

/// <summary>Follows a pattern until disposed; leases handed out stay their holder's.</summary>
public interface IPatternLease : IDisposable
{
    /// <summary>Streams that matched when it began.</summary>
    IReadOnlyList<FeedLease> Matched { get; }
}

/// <summary>How a session delivers.</summary>
public enum SessionKind
{
    /// <summary>An open connection: when it ends, what was in flight on it is tried again.</summary>
    Connection,

    /// <summary>One poll: what it carried stays in flight when it has ended.</summary>
    Poll,

    /// <summary>A webhook: every delivery is answered, so nothing waits for an acknowledgement.</summary>
    Push,
}

/// <summary>One reader on behalf of a subscriber. Disposing ends it.</summary>
public interface ISubscriberSession : IDisposable
{
    /// <summary>The subscriber's policy as it was when the session began.</summary>
    SubscriberPolicy Policy { get; }

    /// <summary>Since when the webhook only fails, as it was known when the session began; null: it does not.</summary>
    PushFailing? Failing => null;

    /// <summary>Events owed and not acknowledged.</summary>
    int PendingCount { get; }

    /// <summary>Whether something owed may yet come that this session has not carried.</summary>
    bool HasMore { get; }

    /// <summary>Whether it is over: the subscriber was removed, or changed so that its readers are to come
    /// back.</summary>
    bool IsOver { get; }

    /// <summary>Called, on any thread, whenever there may be something to <see cref="Take"/> or the session is over.
    /// Must not block.</summary>
    Action? Woken { get; set; }

    /// <summary>What is owed up to a number goes beside the line, what comes after, on it.</summary>
    void Begin(long through);

    /// <summary>The line has jumped from one number to another: what is owed between comes beside it.</summary>
    void Jump(long after, long through);

    /// <summary>The next events to carry beside the line, oldest first, at most so many events and (but for the first)
    /// bytes; empty when none is due or there is no room in flight. Each is to be told by <see cref="Delivered"/>.
    /// Throws <see cref="LogUnavailableException"/>. The caller disposes the page's events.</summary>
    ValueTask<OwedPage> Take(int limit, int maxBytes);

    /// <summary>Asks what the line does with events, where that is decided elsewhere: when it completes,
    /// <see cref="OnLine"/> knows of all of them. It may take until their owner answers.</summary>
    ValueTask Ask(ReadOnlyMemory<EventSlot> slots) => default;

    /// <summary>What the line does with events that it has come to, in order; all have been asked for.</summary>
    /// <param name="slots">The events.</param>
    /// <param name="carry">Filled with an answer for each.</param>
    void OnLine(ReadOnlySpan<EventSlot> slots, Span<LineCarry> carry);

    /// <summary>The bytes of these events are about to go out: an answer to them may come before
    /// <see cref="Delivered"/> is called.</summary>
    void GoingOut(IReadOnlyList<long> seqs);

    /// <summary>The bytes of these events have gone out.</summary>
    void Delivered(IReadOnlyList<long> seqs);

    /// <summary>Dead letters that went past their limit, if no reader has been told of them.</summary>
    Gap? Expired { get; }

    /// <summary>A reader has been told of them.</summary>
    void ExpiredTold();
}

/// <summary>Events to carry, and which delivery each is.</summary>
public sealed record OwedPage(EventRun Events, IReadOnlyList<int> Attempts);

/// <summary>Settings as they are now.</summary>
public sealed record ConfiguredStream(StreamSettings Settings, bool Created);

/// <summary>A stream as a client sees it; <paramref name="Node"/> is the node of a cluster that owns it.</summary>
public sealed record StreamDescription(string Name, StreamSettings Settings, StreamHistory History, long Head,
    long Floor, int Events, long Bytes, long StoredEvents, long StoredBytes, int Readers, long CreatedMs,
    IReadOnlyList<string> Subscribers, string? Node = null);

/// <summary>A subscriber as a client sees it: all up to <paramref name="Acknowledged"/> is acknowledged.</summary>
public sealed record SubscriberDescription(string Name, SubscriberPolicy Policy, bool IsExplicit, Cursor Acknowledged,
    int Pending, int InFlight, int Retrying, int DeadLetters, ExpiredRange? Expired, SubscriberCounts Counts,
    int Connections, long CreatedMs, long LastSeenMs, string? Disabled);

/// <summary>A subscriber of an open stream.</summary>
public sealed record OpenSubscriber(string Stream, SubscriberDescription Subscriber);

/// <summary>A subscriber as it is now.</summary>
public sealed record ConfiguredSubscriber(SubscriberDescription Subscriber, bool Created);

/// <summary>A stream in a list; the numbers are null when it is not open here.</summary>
public sealed record StreamSummary(string Name, bool Completed, long? CreatedMs, string? Head, int? Events, long? Bytes,
    int? Readers);

/// <summary>A page of streams.</summary>
public sealed record StreamPage(IReadOnlyList<StreamSummary> Streams, bool More);

/// <summary>Ids as given, or a cursor: one of them.</summary>
public sealed record AckRequest(IReadOnlyList<string>? Ids, Cursor? UpTo);

/// <summary>What was done for one id.</summary>
public readonly record struct Acknowledged(string Id, AckResult Result);

/// <summary>Events that could not be taken, by their ids.</summary>
/// <param name="Ids">As given.</param>
/// <param name="Delay">When they are to come again; null: by the back-off.</param>
/// <param name="Reason">Why, a word or two for the history.</param>
/// <param name="Failing">Of a webhook, since when it only fails; null: it is not about that.</param>
public sealed record NackRequest(IReadOnlyList<string> Ids, TimeSpan? Delay, string Reason = "nack",
    PushFailing? Failing = null);

/// <summary>What was done for one id.</summary>
public readonly record struct NotAcknowledged(string Id, NackResult Result);

/// <summary>Events of a subscriber with what is known of each; <paramref name="Expired"/> is what went past its
/// limit among dead letters.</summary>
public sealed record SubscriberPage(EventRun Events, IReadOnlyList<PendingEvent> Details, Cursor Cursor, bool More,
    ExpiredRange? Expired = null);
