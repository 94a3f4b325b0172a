using OrleansEvents.Streams;

namespace OrleansEvents.Grains.Interfaces;

/// <summary>Begins a session, or begins it again where its subscriber was moved.</summary>
/// <param name="Session">Its random number.</param>
/// <param name="Kind">How it delivers, a <see cref="SessionKind"/>.</param>
/// <param name="Listener">Who is woken.</param>
/// <param name="Through">How far its line has come: what is owed up to here goes beside it; null: it has not
/// begun.</param>
/// <param name="IsAgain">Whether it had begun before: a subscriber that is gone is not registered by it.</param>
/// <param name="Head">How far its node knows the stream to have come: the status says what is owed up to
/// there.</param>
[GenerateSerializer, Immutable, Alias("OrleansEvents.AttachRequest")]
public sealed record AttachRequest(
    [property: Id(0)] long Session,
    [property: Id(1)] int Kind,
    [property: Id(2)] ISessionListener Listener,
    [property: Id(3)] long? Through,
    [property: Id(4)] bool IsAgain,
    [property: Id(5)] long Head);

/// <summary>A session that has begun.</summary>
/// <param name="Policy">The subscriber's policy.</param>
/// <param name="Lease">How long the session is kept without a word from its node.</param>
/// <param name="Epoch">The subscriber's opening, which alone knows what the session was given.</param>
/// <param name="Status">How it stands.</param>
/// <param name="Failing">Since when its webhook only fails.</param>
[GenerateSerializer, Immutable, Alias("OrleansEvents.AttachedSession")]
public sealed record AttachedSession(
    [property: Id(0)] SubscriberPolicy Policy,
    [property: Id(1)] TimeSpan Lease,
    [property: Id(2)] long Epoch,
    [property: Id(3)] SessionStatus Status,
    [property: Id(4)] PushFailing? Failing);

/// <summary>What a node answers its readers from.</summary>
/// <param name="Version">Rises with every status of a session: one that comes late is older.</param>
/// <param name="Pending">Events owed.</param>
/// <param name="HasMore">Whether something owed may yet come that the session has not carried.</param>
/// <param name="MayTake">Whether there may be something to take.</param>
/// <param name="IsOver">Whether the session is over.</param>
/// <param name="OwesAll">Whether ordinary events are asked for too.</param>
/// <param name="Expired">Dead letters past their limit, if no reader was told of them.</param>
[GenerateSerializer, Immutable, Alias("OrleansEvents.SessionStatus")]
public sealed record SessionStatus(
    [property: Id(0)] long Version,
    [property: Id(1)] int Pending,
    [property: Id(2)] bool HasMore,
    [property: Id(3)] bool MayTake,
    [property: Id(4)] bool IsOver,
    [property: Id(5)] bool OwesAll,
    [property: Id(6)] Gap? Expired);

/// <summary>What a session did or asks.</summary>
[GenerateSerializer, Alias("OrleansEvents.ActKind")]
public enum ActKind : byte
{
    /// <summary>What is owed up to a number goes beside the line.</summary>
    Begin,

    /// <summary>The line has jumped.</summary>
    Jump,

    /// <summary>The line has come to events: what does it do with them?</summary>
    Line,

    /// <summary>The line was given events that it does not carry.</summary>
    GiveBack,

    /// <summary>Bytes of events are about to go out.</summary>
    GoingOut,

    /// <summary>Bytes of events have gone out.</summary>
    Delivered,

    /// <summary>A reader was told of what expired.</summary>
    ExpiredTold,

    /// <summary>The session ends.</summary>
    Detach,
}

/// <summary>One act of a session.</summary>
/// <param name="Kind">What.</param>
/// <param name="After">Of a jump, from where.</param>
/// <param name="Through">Up to where.</param>
/// <param name="Seqs">Which events.</param>
/// <param name="Kinds">Of events on the line, a byte each: 1 critical, 2 on storage.</param>
[GenerateSerializer, Immutable, Alias("OrleansEvents.SessionAct")]
public sealed record SessionAct(
    [property: Id(0)] ActKind Kind,
    [property: Id(1)] long After,
    [property: Id(2)] long Through,
    [property: Id(3)] long[] Seqs,
    [property: Id(4)] byte[] Kinds);

/// <summary>What a session did since its batch before.</summary>
/// <param name="Session">The session.</param>
/// <param name="Epoch">The subscriber's opening that it was begun at.</param>
/// <param name="Number">The batch's number; the next is sent when it was answered.</param>
/// <param name="Taken">The last page that came.</param>
/// <param name="Acts">What, in order.</param>
[GenerateSerializer, Immutable, Alias("OrleansEvents.SessionBatch")]
public sealed record SessionBatch(
    [property: Id(0)] long Session,
    [property: Id(1)] long Epoch,
    [property: Id(2)] long Number,
    [property: Id(3)] long Taken,
    [property: Id(4)] SessionAct[] Acts);

/// <summary>What is answered.</summary>
/// <param name="Status">How the session stands; null: it is not known here, and is to begin again.</param>
/// <param name="Carries">What the line does with the events that were asked for, a byte each, in order.</param>
/// <param name="IsDone">False: what was asked cannot be answered now, and is to be sent again under another
/// number.</param>
[GenerateSerializer, Immutable, Alias("OrleansEvents.SessionAnswer")]
public sealed record SessionAnswer(
    [property: Id(0)] SessionStatus? Status,
    [property: Id(1)] byte[] Carries,
    [property: Id(2)] bool IsDone);

/// <summary>Events to carry beside the line.</summary>
/// <param name="Events">The events.</param>
/// <param name="Attempts">Which delivery each is.</param>
[GenerateSerializer, Immutable, Alias("OrleansEvents.TakenPage")]
public sealed record TakenPage([property: Id(0)] PackedRun Events, [property: Id(1)] int[] Attempts);

/// <summary>Events of a subscriber with what is known of each.</summary>
[GenerateSerializer, Immutable, Alias("OrleansEvents.PackedPage")]
public sealed record PackedPage(
    [property: Id(0)] PackedRun Events,
    [property: Id(1)] PendingEvent[] Details,
    [property: Id(2)] Cursor Cursor,
    [property: Id(3)] bool More,
    [property: Id(4)] ExpiredRange? Expired);
