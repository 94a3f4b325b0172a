namespace OrleansEvents.Streams;

public sealed partial class EventStream
{
    /// <summary>Numbers that a reopening leaves to ordinary events that are appended while it is under way.</summary>
    private const long ReopenSlack = 1 << 20;

    private const int BurntRangesKept = 64;

    private static readonly List<StagedRun> s_nothing = [];

    // Most streams are never durable.
    private List<StagedRun> _staged = s_nothing;
    private CommitWork? _inFlight;
    private long? _reopenAt;

    /// <summary>The last number that is known to be on storage, of those that had to be.</summary>
    public long Confirmed { get; private set; }

    /// <summary>Whether a batch was made void: durable events are refused until the host has reopened the
    /// stream.</summary>
    public bool NeedsReopen { get; private set; }

    /// <summary>Completes when all that waits for storage now is visible or void; null when nothing waits.</summary>
    public Task? Draining => _staged.Count == 0 ? null : _staged[^1].Batches[^1].Outcome;

    /// <summary>Durable events up to here are visible, so that they may be read from storage: it may hold rows of a
    /// commit that is not released yet, or that was made void and is to be deleted.</summary>
    public long ReadableThrough => NeedsReopen ? Math.Min(Confirmed, Feed.Head) : Feed.Head;

    /// <summary>Whether anything waits for storage.</summary>
    public bool HasStaged => _staged.Count > 0;

    /// <summary>What to write next; null while a commit is in flight and when nothing waits. The host writes it and
    /// calls <see cref="CommitDone"/>, whatever came of it.</summary>
    public CommitWork? NextCommit()
    {
        if (_staged.Count == 0 || _inFlight is not null || NeedsReopen) return null;
        var runs = _staged.Where(run => run is { Durable: true, Taken: false }).ToList();
        if (runs.Count == 0) return null;
        foreach (var run in runs) run.Taken = true;
        return _inFlight = new CommitWork(runs);
    }

    /// <summary>A commit's outcome. One that was made void while it was in flight changes nothing any more.</summary>
    public void CommitDone(CommitWork work, bool succeeded, Instant now)
    {
        var isVoid = _inFlight != work;
        if (isVoid)
        {
            foreach (var run in work.Staged) run.Events.Dispose();
            _voidInFlight = null;
            return;
        }
        _inFlight = null;
        if (!succeeded)
        {
            Void(now);
            return;
        }
        foreach (var run in work.Staged)
        {
            run.Committed = true;
            Confirmed = run.Events.Last;
            _stored.Add(new(run.Events.First, run.Events.Last, run.Events.Count, run.Events.Frames.Length, now.UnixMs));
        }
        Release(now);
    }

    /// <summary>Begins a reopening: what the host passes to <see cref="IEventLog.Reopen"/>. Null when none is needed,
    /// one is under way, or the void commit has not come back yet.</summary>
    public (long Confirmed, long Next)? BeginReopen()
    {
        if (!NeedsReopen || _reopenAt is not null || _voidInFlight is not null) return null;
        _reopenAt = _next + ReopenSlack;
        return (Confirmed, _reopenAt.Value);
    }

    /// <summary>The outcome of a reopening; null: it failed, and is to be tried again.</summary>
    public void Reopened(LogHandle? handle)
    {
        var first = _reopenAt!.Value;
        _reopenAt = null;
        if (handle is not { } opened) return;
        Handle = opened;
        NeedsReopen = false;
        _next = first;
        // A reopening reserves nothing beyond its own beginning.
        _reservedThrough = Math.Max(_reservedThrough, first - 1);
        Confirmed = first - 1;
        var epochs = Feed.History.Epochs;
        Feed.History = Feed.History with
        {
            Epochs = [.. epochs.Take(epochs.Count - 1).TakeLast(IEventLog.EpochsKept - 2),
                epochs[^1] with { End = first - 1, Graceful = true }, new(opened.Epoch, first, null, false)],
            Burnt = [],
            CountableFrom = 0,
        };
    }

    private CommitWork? _voidInFlight;

    private int StagedCriticals
    {
        get
        {
            var count = 0;
            foreach (var run in _staged)
                if (run.Durable)
                    foreach (ref readonly var slot in run.Events.Slots) count += slot.Critical ? 1 : 0;
            return count;
        }
    }

    private AppendResult? RefuseDurable(EventRun run) =>
        StoreIsDown ? AppendResult.Refused(ErrorCode.CircuitOpen, "Storage is down.", TimeSpan.FromSeconds(1))
        : NeedsReopen ? AppendResult.Refused(ErrorCode.StoreUnavailable, "Storage is coming back.",
            TimeSpan.FromSeconds(1))
        : RefuseBehind(run);

    private AppendResult? RefuseBehind(EventRun run) =>
        _staged.Count > 0 && _stagedBytes + run.Frames.Length > _limits.StagedBytes
            ? AppendResult.Refused(ErrorCode.StoreUnavailable, "Too much waits for storage.", TimeSpan.FromSeconds(1))
            : null;

    private PendingBatch Stage(EventRun run, bool durable, Instant now)
    {
        if (_staged == s_nothing) _staged = [];
        if (_staged.Count == 0 || _staged[^1].Durable != durable || _staged[^1].Taken)
            _staged.Add(new StagedRun(durable, now.Ms));
        var pending = new PendingBatch();
        _staged[^1].Events.Append(run);
        _staged[^1].Batches.Add(pending);
        _stagedBytes += run.Frames.Length;
        return pending;
    }

    private long _stagedBytes;

    /// <summary>Shows all at the front of the stage that waits for nothing.</summary>
    private void Release(Instant now)
    {
        var done = 0;
        while (done < _staged.Count && (_staged[done].Committed || !_staged[done].Durable))
        {
            var run = _staged[done++];
            Show(run.Events, now);
            Settle(run, visible: true);
            _stagedBytes -= run.Events.Frames.Length;
            run.Events.Dispose();
        }
        _staged.RemoveRange(0, done);
    }

    /// <summary>Burns every durable batch that is not committed, then shows what waited behind.</summary>
    private void Void(Instant now)
    {
        NeedsReopen = true;
        // Its memory is still being read: it is let go when the commit has come back.
        if (_inFlight is not null) (_voidInFlight, _inFlight) = (_inFlight, null);
        foreach (var run in _staged.Where(run => run is { Durable: true, Committed: false }).ToList())
        {
            _staged.Remove(run);
            _stagedBytes -= run.Events.Frames.Length;
            Burn(run.Events.First, run.Events.Last);
            Settle(run, visible: false);
            if (_voidInFlight is null || !_voidInFlight.Staged.Contains(run)) run.Events.Dispose();
        }
        Release(now);
    }

    private void Settle(StagedRun run, bool visible)
    {
        foreach (var mark in run.Marks)
        {
            if (!visible) _requests.Forget(mark);
            mark.Pending = null;
        }
        foreach (var batch in run.Batches)
        {
            foreach (var (key, entry) in batch.Entries)
            {
                if (!visible) _keys.Forget(key, batch);
                entry.Pending = null;
            }
            batch.Complete(visible);
        }
    }

    private void Burn(long first, long last)
    {
        var burnt = Feed.History.Burnt.Append((first, last)).ToList();
        var forgotten = Feed.History.CountableFrom;
        while (burnt.Count > BurntRangesKept)
        {
            forgotten = burnt[0].Item2;
            burnt.RemoveAt(0);
        }
        Feed.History = Feed.History with { Burnt = burnt, CountableFrom = forgotten };
    }
}
