using System.Numerics;

namespace OrleansEvents.Streams;

public sealed partial class Subscription
{
    private readonly List<Carrier> _carriers = [];

    /// <summary>Connections now.</summary>
    public int Connections => _carriers.Count;

    /// <summary>Connections, a bit each, that have something to take since this was last read.</summary>
    public ulong Woken { get; private set; }

    /// <summary>Whether each event goes to one connection, chosen here.</summary>
    private bool IsAssigned => Policy.Mode == SubscriberMode.Compete || Policy.Webhook is not null;

    /// <summary>Forgets who was woken.</summary>
    public ulong TakeWoken()
    {
        var woken = Woken;
        Woken = 0;
        return woken;
    }

    /// <summary>A connection comes: its slot, or -1 when there are too many.</summary>
    /// <param name="isPush">Whether it always reports what came of a delivery, so that nothing waits for an
    /// acknowledgement.</param>
    public int Attach(bool isPush = false)
    {
        var used = _carriers.Aggregate(0UL, (bits, each) => bits | each.Bit);
        var slot = BitOperations.TrailingZeroCount(~used);
        if (slot >= MostConnections) return -1;
        _carriers.Add(new Carrier(slot, isPush));
        Dispatch();
        return slot;
    }

    /// <summary>What is owed up to a number goes beside the connection's line; what comes after, on it.</summary>
    public void Begin(int slot, long through) => Of(slot).PassThrough = through;

    /// <summary>The line has jumped from one number to another: what is owed between comes beside it.</summary>
    public void Jump(int slot, long after, long through)
    {
        var carrier = Of(slot);
        if (carrier.IsPassDone) carrier.PassAfter = after;
        carrier.PassThrough = Math.Max(carrier.PassThrough, through);
    }

    /// <summary>A connection goes. What it was sending waits for another; what was in flight on it alone is tried
    /// again, unless <paramref name="keeps"/> says that an acknowledgement may come by another way.</summary>
    public void Detach(int slot, bool keeps, Instant now)
    {
        var carrier = Of(slot);
        _carriers.Remove(carrier);
        Woken &= ~carrier.Bit;
        var entries = Entries;
        for (var i = _front; i < entries.Length; i++)
        {
            ref var entry = ref entries[i];
            if ((entry.Carriers & carrier.Bit) == 0) continue;
            entry.Carriers &= ~carrier.Bit;
            if (entry.Carriers != 0) continue;
            if (entry.State == State.Sending) PutBack(ref entry);
            else if (entry.State == State.InFlight && !keeps) Fail(ref entry, "closed", now, null);
        }
        Sweep();
        Dispatch();
    }

    /// <summary>The next events for a connection to carry beside its line, oldest first.</summary>
    public List<OwedEvent> Take(int slot, int limit)
    {
        var carrier = Of(slot);
        Woken &= ~carrier.Bit;
        var taken = new List<OwedEvent>();
        TakeQueued(carrier, limit, taken);
        if (IsAssigned) return taken;
        for (var i = LowerBound(carrier.PassAfter + 1); taken.Count < limit && !carrier.IsPassDone; i++)
        {
            if (i >= _owed.Count || _owed[i].Seq > carrier.PassThrough)
            {
                carrier.PassAfter = carrier.PassThrough;
                break;
            }
            if (IsHeldUp(_owed[i]))
            {
                // It goes on when something is acknowledged, which may have to come again first.
                QueueRetries(carrier);
                TakeQueued(carrier, limit, taken);
                break;
            }
            carrier.PassAfter = _owed[i].Seq;
            if (Claim(ref Entries[i], carrier) is { } next) taken.Add(next);
        }
        return taken;
    }

    /// <summary>Whether something owed may yet come to a connection that has not carried it in this round.</summary>
    public bool HasMore(int slot)
    {
        var bit = Of(slot).Bit;
        for (var i = _front; i < _owed.Count; i++)
        {
            var entry = _owed[i];
            var mayCome = entry.State switch
            {
                State.Waiting or State.Retrying => true,
                State.Sending or State.InFlight => entry.Carriers == 0 || !IsAssigned && (entry.Carriers & bit) == 0,
                _ => false,
            };
            if (mayCome) return true;
        }
        return false;
    }

    private void TakeQueued(Carrier carrier, int limit, List<OwedEvent> taken)
    {
        while (taken.Count < limit && carrier.Queue.TryDequeue(out var seq))
        {
            if (IndexOf(seq) is not (>= 0 and var index)) continue;
            ref var entry = ref Entries[index];
            if (!IsAssigned && IsHeldUp(entry)) carrier.PassAgain(seq);
            else if (Claim(ref entry, carrier) is { } queued) taken.Add(queued);
            // Should its acknowledgement fail, it is nobody's.
            else if (IsAssigned && entry is { State: State.Acknowledging, IsTaken: false }) entry.Carriers = 0;
        }
    }

    /// <summary>What waited to come again when a connection came lies behind what is held up.</summary>
    private void QueueRetries(Carrier carrier)
    {
        if (carrier.HasRetries) return;
        carrier.HasRetries = true;
        for (var i = _front; i < _owed.Count; i++)
            if (_owed[i].State == State.Waiting && _owed[i].Attempt > 0) carrier.Queue.Enqueue(_owed[i].Seq);
    }

    /// <summary>Whether an event that was taken is still to be sent: nobody has acknowledged it meanwhile.</summary>
    public bool IsGiven(int slot, long seq) => IndexOf(seq) is >= 0 and var index
        && _owed[index].State is State.Sending or State.InFlight && (_owed[index].Carriers & 1UL << slot) != 0;

    /// <summary>What was taken cannot be sent now.</summary>
    public void GiveBack(int slot, long seq)
    {
        var index = IndexOf(seq);
        var carrier = _carriers.Find(each => each.Slot == slot);
        if (index < 0 || carrier is null) return;
        ref var entry = ref Entries[index];
        if ((entry.Carriers & carrier.Bit) == 0) return;
        if (IsAssigned)
        {
            entry.IsTaken = false;
            carrier.Queue.Enqueue(seq);
            return;
        }
        entry.Carriers &= ~carrier.Bit;
        if (entry.State == State.Sending && entry.Carriers == 0) Set(ref entry, State.Waiting);
        carrier.Queue.Enqueue(seq);
    }

    /// <summary>The line of a connection has come to an event.</summary>
    public LineCarry OnLine(int slot, long seq, bool isCritical, bool isDurable)
    {
        if (seq <= _fromSeq) return LineCarry.Plain;
        var index = IndexOf(seq);
        if (index < 0)
            return seq <= _through && (isCritical || Policy.OwesAll && (isDurable || seq > _abandonedThrough))
                ? LineCarry.Skip : LineCarry.Plain;
        var carrier = Of(slot);
        ref var entry = ref Entries[index];
        if (IsAssigned || seq <= carrier.PassThrough || (entry.Carriers & carrier.Bit) != 0) return LineCarry.Skip;
        if (entry.State == State.Done) return entry.IsVolatile && seq <= _abandonedThrough
            ? LineCarry.Plain : LineCarry.Skip;
        if (!carrier.IsPassDone || IsHeldUp(entry))
        {
            // From here on the line leaves out what is owed until the rest has caught up.
            if (carrier.IsPassDone) carrier.PassAfter = seq - 1;
            carrier.PassThrough = seq;
            return LineCarry.Skip;
        }
        return entry.IsFirstRound && Claim(ref entry, carrier) is not null ? LineCarry.Owed : LineCarry.Skip;
    }

    /// <summary>The events' bytes have gone out to a connection.</summary>
    public void Delivered(int slot, IReadOnlyList<long> seqs, Instant now)
    {
        var carrier = Of(slot);
        foreach (var seq in seqs)
        {
            var index = IndexOf(seq);
            if (index < 0) continue;
            ref var entry = ref Entries[index];
            if ((entry.Carriers & carrier.Bit) == 0) continue;
            // Acknowledged before that was told: should it fail, it was delivered all the same.
            var isEarly = entry is { State: State.Acknowledging, Before: State.Sending };
            if (isEarly || entry.State == State.Sending)
            {
                if (isEarly) entry.Before = State.InFlight;
                else Set(ref entry, State.InFlight);
                entry.Attempt++;
                if (!entry.IsVolatile) IsUnsaved = true;
                if (entry.Attempt > 1) Counts = Counts with { Retried = Counts.Retried + 1 };
            }
            if (entry.State != State.InFlight) continue;
            entry.DueMs = carrier.IsPush ? long.MaxValue : now.Ms + (long)Policy.AckWait.TotalMilliseconds;
            if (!carrier.IsPush) Schedule(seq, entry.DueMs);
        }
    }

    private Carrier Of(int slot) => _carriers.Find(each => each.Slot == slot)
        ?? throw new InvalidOperationException($"No connection {slot} of subscriber {Name}.");

    /// <summary>Whether as much is under way as may be, so that nothing new begins.</summary>
    private bool IsHeldUp(in Entry entry) =>
        entry.State == State.Waiting && entry.Attempt == 0 && _active >= Policy.MaxInFlight;

    /// <summary>Gives an event to a connection, unless it is not due or was given to it in this round.</summary>
    private OwedEvent? Claim(ref Entry entry, Carrier carrier)
    {
        if (IsAssigned)
        {
            // It may be in the queue twice: parked, and owed again.
            if (entry.State != State.Sending || entry.Carriers != carrier.Bit || entry.IsTaken) return null;
            entry.IsTaken = true;
            return new OwedEvent(entry.Seq, entry.Attempt + 1);
        }
        if ((entry.Carriers & carrier.Bit) != 0) return null;
        switch (entry.State)
        {
            case State.Waiting:
                Set(ref entry, State.Sending, carrier.Bit);
                return new OwedEvent(entry.Seq, entry.Attempt + 1);
            case State.Sending:
                entry.Carriers |= carrier.Bit;
                return new OwedEvent(entry.Seq, entry.Attempt + 1);
            case State.InFlight:
                entry.Carriers |= carrier.Bit;
                return new OwedEvent(entry.Seq, entry.Attempt);
            default:
                return null;
        }
    }

    /// <summary>An event waits again: every connection is to carry it, or the one that it is given to.</summary>
    private void PutBack(ref Entry entry)
    {
        Set(ref entry, State.Waiting, 0);
        if (IsAssigned)
        {
            (entry.Attempt > 0 ? _again : _ready).Add(entry.Seq);
            return;
        }
        foreach (var carrier in _carriers)
        {
            carrier.Queue.Enqueue(entry.Seq);
            Woken |= carrier.Bit;
        }
    }

    /// <summary>What waits for a connection once more: never delivered…</summary>
    private readonly SortedSet<long> _ready = [];

    /// <summary>… and delivered before, which is not held up.</summary>
    private readonly SortedSet<long> _again = [];
    private long _assignedThrough;

    /// <summary>What was shared in one way is shared in the other.</summary>
    private void AssignAgain()
    {
        _ready.Clear();
        _again.Clear();
        _assignedThrough = 0;
        foreach (var carrier in _carriers) carrier.Load = 0;
        for (var i = _front; i < _owed.Count; i++)
        {
            var entry = _owed[i];
            if (entry.State == State.Waiting && entry.Attempt > 0 && IsAssigned) _again.Add(entry.Seq);
            if (entry.State is not (State.Sending or State.InFlight)) continue;
            foreach (var carrier in _carriers)
                if (carrier.Bit == entry.Carriers) carrier.Load++;
        }
    }

    /// <summary>Gives what waits to connections: each event to the one with the fewest, as long as there is room; in
    /// broadcast wakes those that were held up.</summary>
    private void Dispatch()
    {
        if (_carriers.Count == 0) return;
        if (!IsAssigned)
        {
            foreach (var carrier in _carriers)
                if (!carrier.IsPassDone && _active < Policy.MaxInFlight) Woken |= carrier.Bit;
            return;
        }
        var share = Math.Max(1, Policy.MaxInFlight / _carriers.Count);
        while (NextToAssign() is >= 0 and var index)
        {
            var carrier = _carriers.MinBy(each => each.Load)!;
            if (carrier.Load >= share) return;
            ref var entry = ref Entries[index];
            if (!_again.Remove(entry.Seq) && !_ready.Remove(entry.Seq)) _assignedThrough = entry.Seq;
            Set(ref entry, State.Sending, carrier.Bit);
            carrier.Queue.Enqueue(entry.Seq);
            Woken |= carrier.Bit;
        }
    }

    /// <summary>The oldest event that waits for a connection; -1: none, or no room.</summary>
    private int NextToAssign()
    {
        var again = FirstWaiting(_again);
        if (_active >= Policy.MaxInFlight) return again;
        var ready = FirstWaiting(_ready);
        if (again >= 0 || ready >= 0) return ready < 0 || again >= 0 && again < ready ? again : ready;
        for (var i = LowerBound(_assignedThrough + 1); i < _owed.Count; i++)
            if (_owed[i].State == State.Waiting) return i;
        return -1;
    }

    private int FirstWaiting(SortedSet<long> seqs)
    {
        while (seqs.Count > 0)
        {
            if (IndexOf(seqs.Min) is >= 0 and var index && _owed[index].State == State.Waiting) return index;
            seqs.Remove(seqs.Min);
        }
        return -1;
    }

    /// <summary>A connection, as far as it is given events.</summary>
    private sealed class Carrier(int slot, bool isPush)
    {
        public int Slot { get; } = slot;

        public ulong Bit { get; } = 1UL << slot;

        public bool IsPush { get; } = isPush;

        /// <summary>What is to go beside the line out of its turn: redeliveries, and what was put back.</summary>
        public Queue<long> Queue { get; } = new();

        /// <summary>How far what is owed has been taken…</summary>
        public long PassAfter { get; set; }

        /// <summary>… of what goes beside the line.</summary>
        public long PassThrough { get; set; }

        public bool IsPassDone => PassAfter >= PassThrough;

        /// <summary>Whether what waited to come again when it came is in <see cref="Queue"/>.</summary>
        public bool HasRetries { get; set; }

        /// <summary>What is held up comes with the rest.</summary>
        public void PassAgain(long seq)
        {
            PassAfter = Math.Min(PassAfter, seq - 1);
            PassThrough = Math.Max(PassThrough, seq);
        }

        public int Load { get; set; }
    }
}
