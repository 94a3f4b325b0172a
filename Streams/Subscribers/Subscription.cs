using System.Runtime.InteropServices;

namespace OrleansEvents.Streams;

/// <summary>
/// The state machine of one named subscriber of one stream: what it is owed and has not acknowledged, which of its
/// connections carry what, when what is tried again, and what is parked. Called in the owner's turn; it decides, and
/// the host reads, sends, saves and reports back. What is owed is derived from the stream's retained events, which the
/// host tells (<see cref="Owe"/>, <see cref="OweOlder"/>); stored are what is done, the attempts made and the policy
/// (<see cref="BeginSave"/>), and copies of parked events.
/// <para>An owed event is <i>waiting</i>; given to a connection it is <i>sending</i>; when its bytes have gone out it
/// is <i>in flight</i>, an attempt was made and the wait for its acknowledgement begins. A negative acknowledgement,
/// the end of that wait or the loss of every connection that carries it makes it <i>retrying</i>, and after its
/// back-off waiting again. One whose attempts, time or place are used up is <i>parking</i>, then done and kept as a
/// dead letter; one that is acknowledged is <i>acknowledging</i>, then done. A save that fails puts those two
/// back.</para>
/// <para>Connections: in broadcast each carries each event once a round, in compete (and for a webhook) an event is
/// assigned to one. What was owed when a connection began, what the line had to leave out and all redeliveries go
/// beside its line (<see cref="Take"/>); new events on it (<see cref="OnLine"/>).</para>
/// <para>Invariants: entries are in seq order; whatever is at or below <c>_through</c> and not among them is done;
/// what is done is never given out again; at most <see cref="SubscriberPolicy.MaxInFlight"/> events are sending, in
/// flight or to be retried; memory changes after storage.</para>
/// </summary>
public sealed partial class Subscription
{
    /// <summary>Connections of one subscriber at most.</summary>
    public const int MostConnections = 64;

    private readonly SubscriptionLimits _limits;
    private readonly List<Entry> _owed = [];
    private int _front;
    private int _done;
    private int _active;
    private long _through;

    /// <summary>Beyond it nothing has happened to any entry yet: a save need not look at those.</summary>
    private long _plainAfter;
    private long _fromSeq;
    private byte[][]? _types;

    /// <summary>A new subscriber.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="policy">Its policy.</param>
    /// <param name="isExplicit">Whether it was made by a request of its own rather than by reading.</param>
    /// <param name="fromSeq">It is owed what lies behind this number.</param>
    /// <param name="head">The stream's head: ordinary events up to it are not owed.</param>
    /// <param name="limits">The server's bounds.</param>
    /// <param name="now">The time.</param>
    public Subscription(string name, SubscriberPolicy policy, bool isExplicit, long fromSeq, long head,
        SubscriptionLimits limits, Instant now)
    {
        (Name, Policy, IsExplicit, _fromSeq, _limits) = (name, policy, isExplicit, fromSeq, limits);
        _abandonedThrough = head;
        (CreatedMs, LastSeenMs) = (now.UnixMs, now.UnixMs);
        ReadTypes();
    }

    private enum State : byte
    {
        Waiting,
        Sending,
        InFlight,
        Retrying,
        Acknowledging,
        Parking,
        Done,
    }

    /// <summary>The subscriber's name.</summary>
    public string Name { get; }

    /// <summary>Its policy.</summary>
    public SubscriberPolicy Policy { get; private set; }

    /// <summary>Whether it was made by a request of its own, so that it does not expire.</summary>
    public bool IsExplicit { get; private set; }

    /// <summary>When it was registered, Unix milliseconds.</summary>
    public long CreatedMs { get; }

    /// <summary>When it last had a connection, Unix milliseconds.</summary>
    public long LastSeenMs { get; set; }

    /// <summary>When it was removed, Unix milliseconds; saved as its tombstone. Null: it is there.</summary>
    public long? RemovedMs { get; set; }

    /// <summary>Why its webhook gets nothing any more, until the policy is set again; null: it does.</summary>
    public string? Disabled { get; private set; }

    /// <summary>Since when its webhook only fails, as far as is known and saved; null: it does not.</summary>
    public PushFailing? Failing { get; private set; }

    /// <summary>Counts since it was registered.</summary>
    public SubscriberCounts Counts { get; private set; }

    /// <summary>Events owed and not acknowledged.</summary>
    public int PendingCount => _owed.Count - _front - _done;

    /// <summary>Of those, sending, in flight or to be retried.</summary>
    public int ActiveCount => _active;

    /// <summary>Of those, to be retried.</summary>
    public int RetryCount { get; private set; }

    /// <summary>Whether there is a webhook that takes events.</summary>
    public bool IsPushed => Policy.Webhook is not null && Disabled is null && RemovedMs is null;

    /// <summary>Whether types of events matter.</summary>
    public bool WantsTypes => _types is not null;

    /// <summary>All that was owed up to here is acknowledged or parked.</summary>
    public long Watermark
    {
        get
        {
            var first = FirstOwed();
            return first < 0 ? _through : Math.Min(_through, _owed[first].Seq - 1);
        }
    }

    /// <summary>Everything up to here needs to be kept for others only: below the first event owed, or the
    /// head.</summary>
    public long DoneThrough(long head)
    {
        var first = FirstOwed();
        return first < 0 ? head : _owed[first].Seq - 1;
    }

    /// <summary>Begins a change of policy, which also lets its webhook have events again; it has effect when
    /// <see cref="Saved"/> is called.</summary>
    public void BeginChange(SubscriberPolicy policy) => _change = new(policy, IsExplicit: true, Disabled: null);

    /// <summary>The policy when all changes that have begun are saved: what the next one begins with.</summary>
    public SubscriberPolicy NextPolicy => Next.Policy;

    /// <summary>Begins to keep events from its webhook; it has effect when <see cref="Saved"/> is called.</summary>
    public void BeginDisable(string reason) => _change = Next with { Disabled = reason };

    /// <summary>Whether how its connections share has changed since this was last read: they are to come
    /// back.</summary>
    public bool TakeSharesChanged()
    {
        var changed = _sharesChanged;
        _sharesChanged = false;
        return changed;
    }

    /// <summary>As the save that is under way has it.</summary>
    private Standing Saving => _savingChange ?? new(Policy, IsExplicit, Disabled);

    private Standing Next => _change ?? Saving;

    private Standing? _change;
    private bool _sharesChanged;

    /// <summary>Whether a change lets its webhook begin anew.</summary>
    private bool BeginsAnew(Standing standing) => standing.Disabled is null
        && (Disabled is not null || standing.Policy.Webhook != Policy.Webhook);

    private void Change(Standing standing, Instant now)
    {
        if (BeginsAnew(standing)) Failing = null;
        var changes = standing.Policy.Mode != Policy.Mode || standing.Policy.Webhook != Policy.Webhook;
        (Policy, IsExplicit, Disabled) = standing;
        _sharesChanged |= changes;
        if (changes) AssignAgain();
        ReadTypes();
        ParkOverflow(now);
    }

    /// <summary>What is owed above a number, oldest first.</summary>
    public IEnumerable<PendingEvent> Pending(long after, Instant now)
    {
        for (var i = Math.Max(_front, LowerBound(after + 1)); i < _owed.Count; i++)
        {
            var entry = _owed[i];
            if (entry.State == State.Done) continue;
            long? next = entry.State is State.Retrying or State.InFlight && entry.DueMs < long.MaxValue
                ? entry.DueMs - now.Ms + now.UnixMs : null;
            yield return new(entry.Seq, entry.Attempt, next, entry.History ?? []);
        }
    }

    private void ReadTypes() => _types = Policy.Types.Count == 0 ? null
        : [.. Policy.Types.Select(type => EventType.TryEncode(type, out var canonical) ? canonical : [])];

    private Span<Entry> Entries => CollectionsMarshal.AsSpan(_owed);

    /// <summary>The oldest event that is owed and whose only copy is the stream's; -1: none.</summary>
    private int FirstOwed()
    {
        for (var i = _front; i < _owed.Count; i++)
            if (_owed[i].State != State.Done && !_owed[i].IsReplayed) return i;
        return -1;
    }

    private void Set(ref Entry entry, State state) => Set(ref entry, state, entry.Carriers);

    private void Set(ref Entry entry, State state, ulong carriers)
    {
        Count(entry, -1);
        (entry.State, entry.Carriers) = (state, carriers);
        entry.IsGoingOut &= state == State.Sending;
        entry.IsTaken &= carriers != 0;
        _plainAfter = Math.Max(_plainAfter, entry.Seq);
        Count(entry, 1);
        if (state is not State.Done) return;
        entry.History = null;
        if (!entry.IsReplayed) _through = Math.Max(_through, entry.Seq);
    }

    private void Count(in Entry entry, int by)
    {
        if (entry.State == State.Done) _done += by;
        if (entry.IsActive) _active += by;
        if (entry.IsRetry) RetryCount += by;
        if (entry.Carriers == 0 || !IsAssigned || entry.State is not (State.Sending or State.InFlight)) return;
        foreach (var carrier in _carriers)
            if (carrier.Bit == entry.Carriers) carrier.Load += by;
    }

    /// <summary>Lets go of what is done: at the front, and between when it is the most.</summary>
    private void Sweep()
    {
        while (_front < _owed.Count && _owed[_front].State == State.Done)
        {
            _front++;
            _done--;
        }
        if (_done > 64 && _done > (_owed.Count - _front) / 2)
        {
            var kept = _front;
            var passed = false;
            var entries = Entries;
            for (var i = _front; i < entries.Length; i++)
            {
                if (entries[i].State == State.Done)
                {
                    passed = true;
                    continue;
                }
                entries[i].FollowsDone |= passed;
                if (passed) _plainAfter = Math.Max(_plainAfter, entries[i].Seq);
                passed = false;
                entries[kept++] = entries[i];
            }
            _owed.RemoveRange(kept, _owed.Count - kept);
            _done = 0;
        }
        if (_front == 0 || _front <= _owed.Count / 2) return;
        _owed.RemoveRange(0, _front);
        _front = 0;
        if (_owed.Count == 0 && _owed.Capacity > 256) _owed.Capacity = 16;
    }

    private int IndexOf(long seq)
    {
        var index = LowerBound(seq);
        return index < _owed.Count && _owed[index].Seq == seq ? index : -1;
    }

    private int LowerBound(long seq)
    {
        int low = _front, high = _owed.Count;
        if (low == high) return low;
        // Most numbers follow each other: none is further on than it would be without a gap.
        var guess = seq - _owed[low].Seq + low;
        if (guess <= low) return low;
        if (guess < high)
        {
            if (_owed[(int)guess].Seq == seq) return (int)guess;
            high = (int)guess;
        }
        while (low < high)
        {
            var middle = (low + high) >>> 1;
            if (_owed[middle].Seq < seq) low = middle + 1;
            else high = middle;
        }
        return low;
    }

    /// <summary>One owed event; 56 bytes.</summary>
    private struct Entry(long seq, long appendedMs)
    {
        public readonly long Seq = seq;

        /// <summary>Unix milliseconds.</summary>
        public readonly long AppendedMs = appendedMs;

        /// <summary>A bit for each connection that was given it in this round.</summary>
        public ulong Carriers;

        /// <summary>When the wait for its acknowledgement or its back-off ends, monotonic.</summary>
        public long DueMs;

        public PastFailure[]? History;

        /// <summary>Deliveries so far.</summary>
        public ushort Attempt;

        public State State;

        /// <summary>Whether its bytes may have come though nobody has said that they have gone out.</summary>
        public bool IsGoingOut;

        /// <summary>Whether the next save is to take its acknowledgement, be it that an earlier one has it
        /// too.</summary>
        public bool IsToBeSaved;

        /// <summary>What it was before it was acknowledged, which may fail.</summary>
        public State Before;

        /// <summary>An ordinary event of an ordinary stream: owed for a while, in memory only.</summary>
        public bool IsVolatile;

        /// <summary>Owed once more after it was parked: its bytes are the parked copy.</summary>
        public bool IsReplayed;

        /// <summary>Where each event goes to one connection: whether that has it.</summary>
        public bool IsTaken;

        /// <summary>Events before it were done and are no entries any more.</summary>
        public bool FollowsDone;

        /// <summary>Whether no delivery before this round failed.</summary>
        public readonly bool IsFirstRound => Attempt == (State == State.InFlight ? 1 : 0);

        public readonly bool IsRetry => State == State.Retrying || State == State.Waiting && Attempt > 0;

        public readonly bool IsActive => State is State.Sending or State.InFlight || IsRetry;
    }

    /// <summary>What a policy change changes together.</summary>
    private sealed record Standing(SubscriberPolicy Policy, bool IsExplicit, string? Disabled);
}
