namespace OrleansEvents.Streams;

public sealed partial class Subscription
{
    /// <summary>What has a time: an event's wait, its back-off, an ordinary event's age. An entry that has another
    /// time by then is passed over.</summary>
    private readonly PriorityQueue<long, long> _due = new();
    private long _abandonedThrough;

    /// <summary>When <see cref="Tick"/> is next needed, monotonic; the end of time when nothing waits for it.</summary>
    public long NextDueMs(Instant now)
    {
        var due = _due.TryPeek(out _, out var first) ? first : long.MaxValue;
        if (_nextExpiryMs < long.MaxValue) due = Math.Min(due, _nextExpiryMs - now.UnixMs + now.Ms);
        if (Connections == 0 && !IsExplicit) due = Math.Min(due, DueOf(LastSeenMs, Policy.ExpireAfter, now) + 1);
        var oldest = FirstOwed();
        if (oldest >= 0 && _owed[oldest].State is not (State.Parking or State.Acknowledging))
            due = Math.Min(due, DueOf(_owed[oldest].AppendedMs, Policy.MaxAge, now) + 1);
        return due;
    }

    /// <summary>Whether it registered by reading and has had no connection for too long.</summary>
    public bool IsExpired(Instant now) => Connections == 0 && !IsExplicit
        && now.UnixMs - LastSeenMs > Policy.ExpireAfter.TotalMilliseconds;

    /// <summary>What time brings: waits and back-offs end, what is too old is parked.</summary>
    public void Tick(Instant now)
    {
        while (_due.TryPeek(out var seq, out var dueMs) && dueMs <= now.Ms)
        {
            _due.Dequeue();
            var index = IndexOf(seq);
            if (index >= 0) Fall(ref Entries[index], now);
        }
        ParkAged(now);
        ExpireParked(now);
        Sweep();
        Dispatch();
    }

    /// <summary>Events could not be taken: they are delivered again after a time, the back-off's unless one is
    /// given.</summary>
    /// <param name="seqs">Their numbers.</param>
    /// <param name="delay">When they are to come again; null: by the back-off.</param>
    /// <param name="reason">Why, for the history.</param>
    /// <param name="now">The time.</param>
    /// <param name="failing">Of a webhook, since when it only fails: it is saved with what failed.</param>
    public IReadOnlyList<NackResult> Nack(IReadOnlyList<long> seqs, TimeSpan? delay, string reason, Instant now,
        PushFailing? failing = null)
    {
        IsUnsaved |= failing is not null;
        Failing = failing ?? Failing;
        var results = new NackResult[seqs.Count];
        for (var i = 0; i < results.Length; i++)
        {
            var index = IndexOf(seqs[i]);
            results[i] = index < 0
                ? seqs[i] <= _through && seqs[i] > _fromSeq ? NackResult.Already : NackResult.Unknown
                : Nack(ref Entries[index], delay, reason, now);
        }
        Dispatch();
        return results;
    }

    private NackResult Nack(ref Entry entry, TimeSpan? delay, string reason, Instant now)
    {
        switch (entry.State)
        {
            case State.Done or State.Acknowledging:
                return NackResult.Already;
            case State.Parking:
                return NackResult.Parked;
            case State.Retrying when delay is { } later:
                entry.DueMs = now.Ms + (long)later.TotalMilliseconds;
                Schedule(entry.Seq, entry.DueMs);
                return NackResult.Scheduled;
            case State.Retrying:
                return NackResult.Scheduled;
            case State.Sending when entry.IsGoingOut:
                // It has come before its sender could say so.
                Set(ref entry, State.InFlight);
                CountAttempt(ref entry);
                goto case State.InFlight;
            case State.InFlight:
                Fail(ref entry, reason, now, delay);
                return entry.State == State.Retrying ? NackResult.Scheduled : NackResult.Parked;
            default:
                return entry.Attempt > 0 ? NackResult.Scheduled : NackResult.Unknown;
        }
    }

    private void Schedule(long seq, long dueMs)
    {
        if (_due.Count > 64 + PendingCount * 3 / 2) ForgetPassed();
        _due.Enqueue(seq, dueMs);
    }

    /// <summary>Without it a fast reader's acknowledged events would stay until their waits had ended.</summary>
    private void ForgetPassed()
    {
        var kept = _due.UnorderedItems.Where(item => IndexOf(item.Element) is >= 0 and var index
            && _owed[index].State != State.Done
            && (_owed[index].DueMs == item.Priority || _owed[index].IsVolatile)).ToList();
        _due.Clear();
        _due.EnqueueRange(kept);
    }

    /// <summary>An entry's time has come, if it is still its time.</summary>
    private void Fall(ref Entry entry, Instant now)
    {
        if (entry.State is State.Done or State.Acknowledging or State.Parking) return;
        if (entry.IsVolatile && now.UnixMs - entry.AppendedMs >= _limits.OrdinaryAge.TotalMilliseconds)
            Abandon(ref entry);
        else if (entry.DueMs > now.Ms) return;
        else if (entry.State == State.InFlight) Fail(ref entry, "timeout", now, null);
        else if (entry.State == State.Retrying) PutBack(ref entry);
    }

    /// <summary>A delivery failed: another after a while, or none.</summary>
    private void Fail(ref Entry entry, string reason, Instant now, TimeSpan? delay)
    {
        if (entry.Attempt >= Policy.MaxAttempts)
        {
            GiveUp(ref entry, reason, now);
            return;
        }
        Remember(ref entry, reason, now);
        Counts = Counts with { Queued = Counts.Queued + 1 };
        entry.DueMs = now.Ms + (long)(delay ?? Policy.BackoffAfter(entry.Attempt)).TotalMilliseconds;
        Set(ref entry, State.Retrying, 0);
        Schedule(entry.Seq, entry.DueMs);
        if (!entry.IsVolatile) IsUnsaved = true;
    }

    private (PastFailure[]? Before, PastFailure[] After) _remembered = (null, []);

    /// <summary>Events that have failed together ever since have one history together.</summary>
    private void Remember(ref Entry entry, string reason, Instant now)
    {
        var failure = new PastFailure(now.UnixMs, reason);
        if (_remembered.After.Length == 0 || _remembered.Before != entry.History || _remembered.After[^1] != failure)
            _remembered = (entry.History, [.. entry.History ?? [], failure]);
        entry.History = _remembered.After;
    }

    /// <summary>An event is parked as soon as that is saved; an ordinary one is given up at once.</summary>
    private void GiveUp(ref Entry entry, string reason, Instant now)
    {
        if (entry.State is State.Done or State.Parking or State.Acknowledging) return;
        if (entry.IsVolatile)
        {
            Abandon(ref entry);
            return;
        }
        Remember(ref entry, reason, now);
        Set(ref entry, State.Parking, 0);
        _toPark.Enqueue(entry.Seq);
        _parkingCount++;
        IsUnsaved = true;
    }

    private void Abandon(ref Entry entry)
    {
        if (entry.State == State.Parking) _parkingCount--;
        _abandonedThrough = Math.Max(_abandonedThrough, entry.Seq);
        Set(ref entry, State.Done, 0);
        Counts = Counts with { Abandoned = Counts.Abandoned + 1 };
    }
}
