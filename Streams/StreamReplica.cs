namespace OrleansEvents.Streams;

/// <summary>What readers must know of a stream beside its events, wherever they read: its past, and the bounds of its
/// buffer.</summary>
/// <param name="History">The past, as the owner has it.</param>
/// <param name="Buffer">Events that the buffer holds.</param>
/// <param name="BufferBytes">Bytes that it holds.</param>
/// <param name="MaxAge">How old its events may become; null: of any age.</param>
public sealed record StreamView(StreamHistory History, int Buffer, int BufferBytes, TimeSpan? MaxAge);

/// <summary>What became visible at the owner since what it told before.</summary>
/// <param name="Epoch">The owner's epoch.</param>
/// <param name="Previous">The head that the message before brought a replica to.</param>
/// <param name="Head">The head that this one brings it to.</param>
/// <param name="ViewNo">The number of the owner's view in this epoch.</param>
/// <param name="View">The view, if it has changed.</param>
public readonly record struct ReplicaPush(ulong Epoch, long Previous, long Head, long ViewNo, StreamView? View);

/// <summary>How what the owner has goes on from a replica's position.</summary>
public enum ReplicaFilling
{
    /// <summary>Directly: what comes behind the position, and nothing is missing between.</summary>
    GoesOn,

    /// <summary>Not at all: the replica drops what it has for what the owner has.</summary>
    BeginsAnew,

    /// <summary>The position is of another history.</summary>
    IsAnother,
}

/// <summary>What the owner's buffer holds behind a replica's position, or a part of it.</summary>
/// <param name="Filling">How it goes on.</param>
/// <param name="After">Behind which number.</param>
/// <param name="Head">How far the replica is when it has the events.</param>
/// <param name="More">Whether there is more.</param>
/// <param name="ViewNo">The number of the owner's view.</param>
/// <param name="View">The view.</param>
public readonly record struct ReplicaFill(ReplicaFilling Filling, long After, long Head, bool More, long ViewNo,
    StreamView View);

/// <summary>
/// A node's copy of a stream's read side: a feed that is filled with what the owner says instead of by publishers.
/// It begins as a copy of the owner's ring and takes pushes that go on where it is. A push that does not go on, or the
/// owner's head or view that it has not come to, shows that something was missed: then it asks the owner what lies
/// behind its position (<see cref="Fill"/>). It has the owner's history and bounds, so a reader finds here what it
/// would find there.
/// <para>Only the owner declares that something is lost. When its ring no longer holds what the replica has missed, or
/// ordinary events died with an earlier owner, the replica begins anew with what the owner has; its readers find
/// themselves behind and are told the gap from the history. A stream that was deleted, or is another by the same
/// name, ends the replica (<see cref="IsOver"/>): the next is a new one.</para>
/// <para>Numbers are given once in a stream's whole life, so a late word of an earlier epoch lies at or below the head
/// and is dropped. Called in one turn at a time.</para>
/// </summary>
public sealed class StreamReplica(StreamFeed feed)
{
    private StreamView? _view;
    private long _viewNo;
    private ulong _epoch;
    private long _toldHead;

    /// <summary>The read side.</summary>
    public StreamFeed Feed { get; } = feed;

    /// <summary>Where the replica is: what the owner is asked to go on from. Its epoch is 0 as long as it knows of no
    /// stream.</summary>
    public Cursor Position => new(_epoch, Feed.Head);

    /// <summary>Whether it has had all that the owner had, once, or knows that there is no stream.</summary>
    public bool IsFilled { get; private set; }

    /// <summary>Whether the stream was deleted: nothing comes any more.</summary>
    public bool IsOver { get; private set; }

    /// <summary>By how many numbers the replica is behind the newest head that an owner's answer told it of.</summary>
    public long Behind => IsOver || _epoch == 0 ? 0 : Math.Max(0, _toldHead - Feed.Head);

    /// <summary>How the owner's feed goes on from a replica's position.</summary>
    public static (ReplicaFilling Filling, long After) From(StreamFeed owner, Cursor position)
    {
        var (history, floor) = (owner.History, owner.Floor);
        if (position.Epoch == 0) return (ReplicaFilling.BeginsAnew, floor);
        return history.StandingOf(position, owner.Head) switch
        {
            Standing.Unknown => (ReplicaFilling.IsAnother, floor),
            Standing.Exact when position.Seq >= floor => (ReplicaFilling.GoesOn, position.Seq),
            _ => (ReplicaFilling.BeginsAnew, floor),
        };
    }

    /// <summary>Takes what the owner pushes; false when something before it was missed.</summary>
    public bool Push(in ReplicaPush push, EventRun events, Instant now)
    {
        if (IsOver) return true;
        // A late word of an owner before, or one of an owner that is not known yet.
        if (push.Epoch != _epoch || !IsFilled) return IsFilled && push.Head <= Feed.Head && push.View is null;
        if (push.Head > Feed.Head)
        {
            if (push.Previous > Feed.Head || events.Count == 0) return false;
            Take(events, now);
        }
        if (push.ViewNo <= _viewNo) return true;
        if (push.View is not { } view) return false;
        // Behind the events: nothing comes after a stream's end.
        See(view, push.ViewNo);
        Evict(now);
        return true;
    }

    /// <summary>What the owner answers to a sign of life; false when it shows that the replica has missed
    /// something: another epoch or view, or a head that it was told of before and has not come to.</summary>
    /// <param name="head">The owner's head.</param>
    /// <param name="viewNo">The number of its view.</param>
    /// <param name="atOnce">Whether a push that may be on its way is not waited for.</param>
    public bool Renewed(Cursor head, long viewNo, bool atOnce)
    {
        if (IsOver) return true;
        var missed = !IsFilled || head.Epoch != _epoch || viewNo != _viewNo
            || (atOnce ? head.Seq : _toldHead) > Feed.Head;
        _toldHead = head.Seq;
        return !missed;
    }

    /// <summary>Takes a part of what the owner has behind <see cref="Position"/>.</summary>
    public void Fill(in ReplicaFill fill, EventRun events, Instant now)
    {
        if (IsOver) return;
        var history = fill.View.History;
        if (history.Epochs.Count == 0 || (fill.Filling == ReplicaFilling.IsAnother && _epoch != 0))
        {
            Lose(history.State);
            (_viewNo, IsFilled) = (fill.ViewNo, true);
            return;
        }
        // Before the events, so that nobody takes those of a new epoch for an old one's; but not its end.
        var open = fill.More || events.Count > 0 ? history with { State = StreamState.Open } : history;
        if (fill.Filling == ReplicaFilling.GoesOn && _epoch != 0) Feed.History = open;
        else Feed.BeginAnew(open, fill.After);
        (_view, _epoch) = (fill.View, history.Epoch);
        Take(events, now);
        if (fill.More) return;
        Feed.Skip(fill.Head);
        See(fill.View, fill.ViewNo);
        Evict(now);
        IsFilled = true;
    }

    /// <summary>What time brings: evicts what is too old.</summary>
    public void Tick(Instant now)
    {
        if (_view is { MaxAge: not null }) Evict(now);
    }

    /// <summary>Gives the ring's memory back; readers that come find their events evicted.</summary>
    public void EvictAll() => Feed.Clear();

    private void Take(EventRun events, Instant now)
    {
        if (events.Count == 0) return;
        Feed.Append(events);
        Evict(now);
    }

    private void See(StreamView view, long viewNo)
    {
        (_view, _viewNo) = (view, viewNo);
        Feed.History = view.History;
        IsOver = view.History.State == StreamState.Deleted;
    }

    /// <summary>There is no such stream, or no longer the one that was.</summary>
    private void Lose(StreamState state)
    {
        IsOver = _epoch != 0;
        Feed.MarkMissing(IsOver || state == StreamState.Deleted);
    }

    private void Evict(Instant now)
    {
        var view = _view!;
        Feed.Evict(view.Buffer, view.BufferBytes,
            view.MaxAge is { } age ? now.UnixMs - (long)age.TotalMilliseconds : long.MinValue);
    }
}
