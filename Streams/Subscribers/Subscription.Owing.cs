namespace OrleansEvents.Streams;

public sealed partial class Subscription
{
    /// <summary>An event has become visible. Numbers increase.</summary>
    public void Owe(in ShownEvent shown, Instant now)
    {
        if (!Wants(shown) || _owed.Count > _front && shown.Seq <= _owed[^1].Seq) return;
        var entry = new Entry(shown.Seq, shown.AppendedMs)
        {
            IsVolatile = !shown.Durable, FollowsDone = _owed.Count > _front && _through > _owed[^1].Seq,
        };
        _owed.Add(entry);
        if (entry.IsVolatile) Schedule(shown.Seq, DueOf(shown.AppendedMs, _limits.OrdinaryAge, now));
        if (ParkOverflow(now))
        {
            Sweep();
            Dispatch();
        }
        else if (IsAssigned)
        {
            Dispatch();
        }
    }

    /// <summary>Stored events, in order, older than all that were told by <see cref="Owe"/>. An ordinary event was owed
    /// in the memory of an opening before, if at all: it is owed no more.</summary>
    public void OweOlder(IEnumerable<ShownEvent> stored, Instant now)
    {
        var before = _front < _owed.Count ? _owed[_front].Seq : long.MaxValue;
        var older = new List<Entry>();
        foreach (var shown in stored)
        {
            if (shown.Seq >= before || !shown.Durable || !Wants(shown)) continue;
            if (IsStoredDone(shown.Seq, out var followsDone)) continue;
            older.Add(Loaded(new Entry(shown.Seq, shown.AppendedMs) { FollowsDone = followsDone }, now));
        }
        foreach (var seq in _loadedReplays)
            if (seq < before) older.Add(Loaded(new Entry(seq, now.UnixMs) { IsReplayed = true }, now));
        if (_loadedReplays.Count > 0) older.Sort((a, b) => a.Seq.CompareTo(b.Seq));
        _owed.InsertRange(_front, older);
        foreach (var entry in older) Count(entry, 1);
        _plainAfter = Math.Max(_plainAfter, Math.Max(_through, _loadedTries.Count > 0 ? _loadedTries[^1].Last : 0));
        if (older.FindLast(entry => entry.FollowsDone || entry.IsReplayed) is { Seq: > 0 } last)
            _plainAfter = Math.Max(_plainAfter, last.Seq);
        (_loadedReplays, _loadedTries, _loadedRanges) = ([], [], []);
        AssignAgain();
        ParkOverflow(now);
        Dispatch();
    }

    /// <summary>The events up to a number are to be let go by the stream: what is owed of them is parked.</summary>
    public void Lapse(long through, Instant now)
    {
        for (var i = _front; i < _owed.Count && _owed[i].Seq <= through; i++)
            if (!_owed[i].IsReplayed) GiveUp(ref Entries[i], "retention", now);
        Sweep();
        Dispatch();
    }

    /// <summary>An owed event's bytes are nowhere any more.</summary>
    public void Missing(long seq, Instant now)
    {
        var index = IndexOf(seq);
        if (index < 0 || _owed[index].State == State.Done) return;
        // Nor is there a copy to be kept.
        if (_owed[index].IsReplayed) _unpark.Add(seq);
        IsUnsaved |= !_owed[index].IsVolatile;
        Abandon(ref Entries[index]);
        Sweep();
        Dispatch();
    }

    private bool Wants(in ShownEvent shown)
    {
        if (shown.Seq <= _fromSeq || !Policy.MayOwe(shown.Critical)) return false;
        if (_types is null || shown.Type is null) return true;
        foreach (var wanted in _types)
            if (shown.Type.AsSpan().SequenceEqual(wanted)) return true;
        return false;
    }

    private static long DueOf(long unixMs, TimeSpan age, Instant now) =>
        Math.Max(now.Ms, unixMs + (long)age.TotalMilliseconds - now.UnixMs + now.Ms);

    /// <summary>An entry as storage had it: deliveries whose outcome the last process did not learn count.</summary>
    private Entry Loaded(Entry entry, Instant now)
    {
        if (StoredTriesOf(entry.Seq) is not { } tries) return entry;
        (entry.Attempt, entry.History) = (tries.Attempt, tries.History);
        if (entry.Attempt < Policy.MaxAttempts) return entry;
        // Its last delivery may still be acknowledged.
        entry.State = State.InFlight;
        entry.DueMs = now.Ms + (long)Policy.AckWait.TotalMilliseconds;
        Schedule(entry.Seq, entry.DueMs);
        return entry;
    }

    /// <summary>The oldest beyond the policy's bound is parked; whether there was any.</summary>
    private bool ParkOverflow(Instant now)
    {
        if (Policy.Overflow == OverflowRule.Block) return false;
        var over = PendingCount - _parkingCount - Policy.MaxPending;
        if (over <= 0) return false;
        for (var i = _front; over > 0 && i < _owed.Count; i++)
        {
            if (_owed[i].State is State.Done or State.Parking or State.Acknowledging) continue;
            GiveUp(ref Entries[i], "overflow", now);
            over--;
        }
        return true;
    }

    /// <summary>What is older than the policy allows is parked.</summary>
    private void ParkAged(Instant now)
    {
        var before = now.UnixMs - (long)Policy.MaxAge.TotalMilliseconds;
        for (var i = _front; i < _owed.Count && (_owed[i].AppendedMs <= before || _owed[i].IsReplayed); i++)
            if (!_owed[i].IsReplayed) GiveUp(ref Entries[i], "age", now);
    }
}
