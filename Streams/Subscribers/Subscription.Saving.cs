namespace OrleansEvents.Streams;

public sealed partial class Subscription
{
    /// <summary>What is acknowledged and in no save that succeeded, some of it done meanwhile.</summary>
    private List<long> _acknowledging = [];
    private SubscriptionSave? _saving;
    private SortedSet<long> _savingUnpark = [];
    private Standing? _savingChange;

    /// <summary>What a save that failed was to park: it may have happened.</summary>
    private readonly HashSet<long> _mayBeParked = [];

    /// <summary>Whether attempts, or what became of events, are not saved: they are within a second.</summary>
    public bool IsUnsaved { get; private set; }

    /// <summary>Whether something waits for a save that people wait for.</summary>
    public bool IsChanging => _acknowledging.Count > 0 || _unpark.Count > 0 || _toReplay.Count > 0 || IsParking
        || _change is not null;

    /// <summary>When a save is next due, monotonic: at once for what people wait for, after a while for the rest, and
    /// after one that failed not before as long. The end of time: there is nothing to save.</summary>
    /// <param name="checkpoint">That while.</param>
    /// <param name="now">The time.</param>
    public long NextSaveMs(TimeSpan checkpoint, Instant now)
    {
        if (!IsChanging && !IsUnsaved) return long.MaxValue;
        var whileMs = (long)checkpoint.TotalMilliseconds;
        return Math.Max(_failedSaveMs + whileMs, IsChanging ? now.Ms : now.Ms + whileMs);
    }

    private long _failedSaveMs = long.MinValue / 2;

    /// <summary>Begins a save; the host performs it and calls <see cref="Saved"/>, whatever came of it. One at a
    /// time.</summary>
    public SubscriptionSave BeginSave()
    {
        var (parking, parked) = (new List<ParkingNote>(), new HashSet<long>());
        while (parking.Count < ParkedAtOnce && _toPark.TryDequeue(out var seq))
            if (IndexOf(seq) is >= 0 and var index && _owed[index].State == State.Parking && parked.Add(seq))
                parking.Add(new(seq, NoteOf(_owed[index])));
        var counts = Counts with { Abandoned = Counts.Abandoned + parking.Count };
        foreach (var seq in _acknowledging)
        {
            if (IndexOf(seq) is not (>= 0 and var index) || !_owed[index].IsToBeSaved) continue;
            Entries[index].IsToBeSaved = false;
            if (_owed[index].State != State.Acknowledging) continue;
            counts = counts with { Succeeded = counts.Succeeded + 1 };
            if (_owed[index].IsReplayed || _mayBeParked.Contains(seq)) _unpark.Add(seq);
        }
        (_savingUnpark, _unpark) = (_unpark, []);
        (var acknowledging, _acknowledging) = (_acknowledging, []);
        (_savingReplay, _toReplay) = (_toReplay, []);
        IsUnsaved = false;
        (_savingChange, _change) = (_change, null);
        var wakes = RemovedMs is null && Saving is { Policy.Webhook: not null, Disabled: null };
        _saving = new SubscriptionSave(Write(parked, counts), wakes, acknowledging, parking,
            RangesOf(_savingUnpark), [.. _savingReplay]);
        return _saving;
    }

    /// <summary>The outcome of a save.</summary>
    /// <param name="save">What <see cref="BeginSave"/> gave.</param>
    /// <param name="succeeded">Whether it is on storage.</param>
    /// <param name="parked">Of the events to park those whose bytes were found: the others are lost.</param>
    /// <param name="parkedMs">When they were parked, Unix milliseconds, as storage has it.</param>
    /// <param name="now">The time.</param>
    public void Saved(SubscriptionSave save, bool succeeded, IReadOnlySet<long> parked, long parkedMs, Instant now)
    {
        _saving = null;
        _savingReplay = [];
        _failedSaveMs = succeeded ? long.MinValue / 2 : now.Ms;
        if (!succeeded)
        {
            PutAllBack(save, now);
            return;
        }
        if (_savingChange is { } change) Change(change, now);
        _savingChange = null;
        foreach (var seq in save.Acknowledging) Finish(seq, State.Acknowledging);
        RemoveParked();
        foreach (var note in save.Parking)
        {
            _mayBeParked.Remove(note.Seq);
            if (!Finish(note.Seq, State.Parking)) continue;
            _parkingCount--;
            if (parked.Contains(note.Seq)) AddParked(new ParkedMark(note.Seq, parkedMs));
        }
        if (save.Replaying.Count > 0) OweAgain(save.Replaying, now);
        var changes = save.Parking.Count > 0 || _savingUnpark.Count > 0 || save.Replaying.Count > 0;
        _savingUnpark = [];
        if (changes) FindNextExpiry();
        Sweep();
        Dispatch();
        // Whoever waits for the end of a completed stream.
        if (PendingCount == 0)
            foreach (var carrier in _carriers) Woken |= carrier.Bit;
    }

    private bool Finish(long seq, State from)
    {
        var index = IndexOf(seq);
        if (index < 0 || _owed[index].State != from) return false;
        Set(ref Entries[index], State.Done, 0);
        Counts = from == State.Acknowledging
            ? Counts with { Succeeded = Counts.Succeeded + 1 }
            : Counts with { Abandoned = Counts.Abandoned + 1 };
        return true;
    }

    private void PutAllBack(SubscriptionSave save, Instant now)
    {
        IsUnsaved = true;
        // Whoever asked for it is told that it failed.
        _savingChange = null;
        foreach (var seq in save.Acknowledging)
        {
            if (IndexOf(seq) is not (>= 0 and var index) || _owed[index].State != State.Acknowledging) continue;
            // Its copy goes with its next acknowledgement, which somebody may have begun already.
            _savingUnpark.Remove(seq);
            if (!_owed[index].IsToBeSaved) PutBackUnacknowledged(ref Entries[index], now);
        }
        foreach (var (seq, _) in save.Parking)
        {
            _mayBeParked.Add(seq);
            _toPark.Enqueue(seq);
            // Acknowledged meanwhile: it need not be parked.
            if (IndexOf(seq) is >= 0 and var index && _owed[index].State == State.Parking && _unpark.Remove(seq))
                Acknowledge(ref Entries[index]);
        }
        _unpark.UnionWith(_savingUnpark);
        _savingUnpark = [];
        FindNextExpiry();
        Dispatch();
    }

    /// <summary>Whoever acknowledged is told that it failed, and has the usual time to do it again.</summary>
    private void PutBackUnacknowledged(ref Entry entry, Instant now)
    {
        if (entry.IsVolatile) Schedule(entry.Seq, DueOf(entry.AppendedMs, _limits.OrdinaryAge, now));
        switch (entry.Before)
        {
            case State.Parking:
                Set(ref entry, State.Parking, 0);
                _toPark.Enqueue(entry.Seq);
                _parkingCount++;
                return;
            case State.Sending when entry.Carriers != 0:
                Set(ref entry, State.Sending);
                Offer(entry);
                return;
            case var _ when entry.Attempt == 0:
                PutBack(ref entry);
                return;
        }
        if (entry.Before == State.InFlight) Set(ref entry, State.InFlight);
        else Set(ref entry, State.Retrying, 0);
        entry.DueMs = now.Ms + (long)Policy.AckWait.TotalMilliseconds;
        Schedule(entry.Seq, entry.DueMs);
        if (entry.State == State.InFlight) Offer(entry);
    }

    /// <summary>Connections may have passed it by while it was acknowledged.</summary>
    private void Offer(in Entry entry)
    {
        if (IsAssigned) return;
        foreach (var carrier in _carriers)
        {
            if ((entry.Carriers & carrier.Bit) != 0) continue;
            carrier.Queue.Enqueue(entry.Seq);
            Woken |= carrier.Bit;
        }
    }

    private void RemoveParked()
    {
        if (_savingUnpark.Count == 0) return;
        _parked.RemoveAll(mark => _savingUnpark.Contains(mark.Seq));
        _replaying.ExceptWith(_savingUnpark);
        _mayBeParked.ExceptWith(_savingUnpark);
    }

    private void AddParked(ParkedMark mark)
    {
        _replaying.Remove(mark.Seq);
        var index = _parked.FindIndex(each => each.Seq >= mark.Seq);
        if (index >= 0 && _parked[index].Seq == mark.Seq) _parked[index] = mark;
        else _parked.Insert(index < 0 ? _parked.Count : index, mark);
    }

    /// <summary>Dead letters are owed again.</summary>
    private void OweAgain(IReadOnlyList<long> seqs, Instant now)
    {
        foreach (var seq in seqs)
        {
            // It may have been acknowledged, or removed, meanwhile.
            if (ParkedIndexOf(seq) < 0 || _unpark.Contains(seq) || !_replaying.Add(seq)) continue;
            var at = LowerBound(seq);
            if (at < _owed.Count && _owed[at].Seq == seq)
            {
                // Done, but not let go of yet.
                Count(_owed[at], -1);
                _owed[at] = new Entry(seq, now.UnixMs) { IsReplayed = true, FollowsDone = _owed[at].FollowsDone };
            }
            else
            {
                _owed.Insert(at, new Entry(seq, now.UnixMs) { IsReplayed = true });
            }
            PutBack(ref Entries[at]);
        }
    }
}
