using OrleansEvents.Grains.Interfaces;
using OrleansEvents.Streams;

namespace OrleansEvents.Grains.Nodes;

/// <summary>
/// A reader's session on its node. All that is decided is decided by the subscriber's grain: what the reader did goes
/// to it in order, in numbered batches, one under way, repeated until it is answered; what the line is to do with
/// events is asked in them. What can be asked of the session at any time is answered from the last word of the grain,
/// which may be late. Where the grain has moved, and does not know the session any more, it is begun again from where
/// the line is: what was under way comes once more, what was acknowledged does not.
/// </summary>
internal sealed partial class ClusterSession : ISubscriberSession
{
    private readonly Lock _gate = new();
    private readonly ClusterSessions _all;
    private readonly ISubscriberGrain _grain;

    /// <summary>What the line does with events that it will come to.</summary>
    private readonly Dictionary<long, LineCarry> _known = [];
    private readonly List<Waiting> _waiting = [];
    private SessionStatus _status;
    private long? _through;
    private bool _isOver;
    private bool _disposed;

    public ClusterSession(ClusterSessions all, string stream, string subscriber, SessionKind kind,
        ISubscriberGrain grain, long id, AttachedSession attached)
    {
        (_all, Stream, Subscriber, Kind, _grain, Id) = (all, stream, subscriber, kind, grain, id);
        (Policy, _lease, _epoch, _status) = (attached.Policy, attached.Lease, attached.Epoch, attached.Status);
        Failing = attached.Failing;
        _heardMs = all.Now.Ms;
    }

    public string Stream { get; }

    public string Subscriber { get; }

    public SessionKind Kind { get; }

    /// <summary>Its number at the grain; another when it is begun again.</summary>
    public long Id { get; private set; }

    public SubscriberPolicy Policy { get; }

    public PushFailing? Failing { get; }

    public int PendingCount => _status.Pending;

    /// <summary>Something that the grain was not asked may have changed it: it is asked, and until it has answered, and
    /// all else that was told it, there may be more.</summary>
    public bool HasMore
    {
        get
        {
            lock (_gate)
            {
                if (IsOver) return false;
                if (!_isMoreAsked)
                {
                    (_isMoreAsked, _isWordWanted) = (true, true);
                    Send_UnderLock();
                }
                return _isSending || _status.HasMore;
            }
        }
    }

    public bool IsOver => _isOver || _status.IsOver;

    public Gap? Expired => _status.Expired;

    public Action? Woken { get; set; }

    public void Begin(long through)
    {
        lock (_gate)
        {
            _through = Math.Max(_through ?? 0, through);
            Add_UnderLock(ActKind.Begin, through: through);
        }
    }

    public void Jump(long after, long through)
    {
        lock (_gate)
        {
            // The line was given what it has jumped over.
            var given = _known.Where(each => each.Key <= through && each.Value == LineCarry.Owed)
                .Select(each => each.Key).ToArray();
            foreach (var seq in _known.Keys.Where(seq => seq <= through).ToList()) _known.Remove(seq);
            if (given.Length > 0) Add_UnderLock(ActKind.GiveBack, seqs: given);
            _through = Math.Max(_through ?? 0, through);
            Add_UnderLock(ActKind.Jump, after, through);
        }
    }

    public ValueTask Ask(ReadOnlyMemory<EventSlot> slots)
    {
        lock (_gate)
        {
            var (seqs, kinds) = (new List<long>(), new List<byte>());
            foreach (ref readonly var slot in slots.Span)
            {
                if (!slot.Critical && !_status.OwesAll || _known.ContainsKey(slot.Seq)) continue;
                seqs.Add(slot.Seq);
                kinds.Add(slot.Critical ? (byte)1 : (byte)0);
            }
            // When it is over nobody answers, and whoever reads is told so.
            if (seqs.Count == 0 || _isOver) return default;
            var waiting = new Waiting([.. seqs]);
            _waiting.Add(waiting);
            Add_UnderLock(ActKind.Line, seqs: [.. seqs], kinds: [.. kinds]);
            return new ValueTask(waiting.Task);
        }
    }

    public void OnLine(ReadOnlySpan<EventSlot> slots, Span<LineCarry> carry)
    {
        lock (_gate)
        {
            for (var i = 0; i < slots.Length; i++)
                carry[i] = _known.Remove(slots[i].Seq, out var known) ? known : LineCarry.Plain;
            if (slots.Length > 0) _through = Math.Max(_through ?? 0, slots[^1].Seq);
        }
    }

    public void GoingOut(IReadOnlyList<long> seqs)
    {
        lock (_gate) Add_UnderLock(ActKind.GoingOut, seqs: [.. seqs]);
    }

    public void Delivered(IReadOnlyList<long> seqs)
    {
        lock (_gate) Add_UnderLock(ActKind.Delivered, seqs: [.. seqs]);
    }

    public void ExpiredTold()
    {
        lock (_gate) Add_UnderLock(ActKind.ExpiredTold);
    }

    public void Dispose()
    {
        lock (_gate)
        {
            if (_disposed) return;
            _disposed = true;
            Add_UnderLock(ActKind.Detach);
        }
    }

    /// <summary>The grain's word, unless a later one has come.</summary>
    public void Hear(long session, SessionStatus status)
    {
        lock (_gate)
        {
            if (session != Id || status.Version <= _status.Version) return;
            _status = status;
        }
        if (status.MayTake || status.IsOver || status.Pending == 0 || HasNoMore) Woken?.Invoke();
    }

    /// <summary>Completes when all that was done so far is known to the grain.</summary>
    public Task Flush()
    {
        lock (_gate) return _isSending || _acts.Count > 0 ? _sent.Task : Task.CompletedTask;
    }

    /// <summary>Whether somebody waits for the last of what is owed, and it has come.</summary>
    private bool HasNoMore => _isMoreAsked && !_isSending && !_status.HasMore;

    private void Know_UnderLock(SessionAct line, ReadOnlySpan<byte> carries)
    {
        for (var i = 0; i < line.Seqs.Length; i++) _known[line.Seqs[i]] = (LineCarry)carries[i];
        foreach (var waiting in _waiting.ToList())
        {
            if (!Array.TrueForAll(waiting.Seqs, _known.ContainsKey)) continue;
            _waiting.Remove(waiting);
            waiting.SetResult();
        }
    }

    /// <summary>Events that the line waits to know of.</summary>
    private sealed class Waiting(long[] seqs) : TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)
    {
        public long[] Seqs { get; } = seqs;
    }
}
