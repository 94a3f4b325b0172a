using Microsoft.Extensions.Logging;
using OrleansEvents.Grains.Interfaces;
using OrleansEvents.Streams;

namespace OrleansEvents.Grains.Subscribers;

internal sealed partial class SubscriberGrain
{
    private TaskCompletionSource<bool>? _nextSave;
    private bool _isSaving;
    private long _saveAtMs = long.MaxValue;

    /// <summary>The end of every turn: what follows from it is saved, planned and told.</summary>
    private void Turned()
    {
        if (_state is not { } state) return;
        var now = Now;
        var figures = SubscriberFigures.Of(state);
        context.Totals.Add(figures - _told);
        _told = figures;
        if (state.TakeSharesChanged()) EndSessions();
        var woken = state.TakeWoken();
        foreach (var session in _sessions.Values)
            if ((woken & (1UL << session.Slot)) != 0) Wake(session, mayTake: true);
        AskForPush(state);
        PlanSave(state, now);
        if (state.Policy.Overflow == OverflowRule.Block && state.PendingCount != _pendingTold)
            _reportAtMs = Math.Min(_reportAtMs, now.Ms);
        _pendingTold = state.PendingCount;
        Arm(Math.Min(Math.Min(_saveAtMs, _reportAtMs), Math.Min(NextSessionEndMs, state.NextDueMs(now))));
    }

    /// <summary>What of it is in the totals: not what it counted before it was loaded.</summary>
    private SubscriberFigures _told;
    private int _pendingTold;
    private long _pushAskedMs = long.MinValue / 2;

    private void AskForPush(Subscription state)
    {
        // Whoever pushes has a session, and another asks again: what was asked may have come to nothing.
        var askAgainMs = _pushAskedMs + (long)context.Options.Checkpoint.TotalMilliseconds;
        if (!state.IsPushed || state.PendingCount == 0 || _sessions.Count > 0 || Now.Ms < askAgainMs) return;
        _pushAskedMs = Now.Ms;
        // Outside of the grain's turns: it goes on when this activation has ended, and makes an observer, which no
        // grain can.
        if (context.PushWanted is { } wanted)
            ThreadPool.UnsafeQueueUserWorkItem(static each => each.wanted(each._stream, each._name),
                (wanted, _stream, _name), preferLocal: false);
    }

    private void PlanSave(Subscription state, Instant now)
    {
        if (_isSaving) return;
        var dueMs = state.NextSaveMs(context.Options.Checkpoint, now);
        if (dueMs <= now.Ms) _ = BeginSaves();
        else _saveAtMs = Math.Min(_saveAtMs, dueMs);
    }

    /// <summary>A turn whose outcome is saved; false when that failed, or there was nothing to save.</summary>
    private async Task<bool> Save(Func<Subscription, bool> begin)
    {
        if (_state is not { } state) return false;
        var saved = begin(state) ? BeginSaves() : Task.FromResult(false);
        Turned();
        return await saved;
    }

    private Task<bool> BeginSaves()
    {
        _saveAtMs = long.MaxValue;
        _nextSave ??= new(TaskCreationOptions.RunContinuationsAsynchronously);
        var saved = _nextSave.Task;
        if (!_isSaving)
        {
            _isSaving = true;
            _ = RunSaves(_state!, _handle);
        }
        return saved;
    }

    private async Task RunSaves(Subscription state, SubscriberHandle handle)
    {
        while (_nextSave is { } waiting)
        {
            _nextSave = null;
            if (_sessions.Count > 0) state.LastSeenMs = Now.UnixMs;
            var (save, parkedMs) = (state.BeginSave(), Now.UnixMs);
            HashSet<long> parked = [];
            var ok = await Attempt(async () => parked = await Write(state, handle, save, parkedMs));
            if (parked.Count > 0) Parked(context.Logger, parked.Count, _stream, _name);
            state.Saved(save, ok, parked, parkedMs, Now);
            if (_state != state)
            {
                waiting.TrySetResult(ok);
                return;
            }
            Turned();
            waiting.TrySetResult(ok);
        }
        _isSaving = false;
        Turned();
    }

    /// <summary>Writes a save, with the bytes of what is to be parked; returns what was.</summary>
    private async Task<HashSet<long>> Write(Subscription state, SubscriberHandle handle, SubscriptionSave save,
        long parkedMs)
    {
        using var events = save.Parking.Count == 0 ? null
            : await ReadEvents(state, [.. save.Parking.Select(note => note.Seq)], int.MaxValue);
        var write = save.WriteOf(_name, events, parkedMs);
        await context.Rows.SaveSubscriber(handle, write);
        return [.. write.ParkedSeqs];
    }

    /// <summary>The frames of owed events, in order: from the owner's buffer, else from storage, else from their parked
    /// copies; at most so many bytes, but for the first. Those that are nowhere are owed no more. Of dead letters that
    /// are owed again <paramref name="earlier"/> is given how often they had been delivered.</summary>
    private async Task<EventRun> ReadEvents(Subscription state, long[] seqs, int maxBytes,
        Dictionary<long, int>? earlier = null)
    {
        const int storedPage = 64;
        const int ringBytes = 1 << 20;
        var found = new Dictionary<long, (EventRun Run, EventSlot Slot)>();
        var runs = new List<EventRun>();
        try
        {
            var again = seqs.Where(state.IsReplaying).ToHashSet();
            var ring = await Ask(() => _owner.ReadEvents([.. seqs.Where(seq => !again.Contains(seq))],
                Math.Min(maxBytes, ringBytes)));
            if (ring.Value is { } packed) Keep(packed.Above(long.MinValue));
            var into = new EventRun();
            foreach (var seq in seqs)
            {
                if (into.Count > 0 && into.Frames.Length >= maxBytes) break;
                if (!found.ContainsKey(seq) && !again.Contains(seq))
                    Keep(await context.Log.Read(_handle.Stream, seq - 1, storedPage, Math.Min(maxBytes, ringBytes)));
                if (!found.ContainsKey(seq)) await ReadParked(seq);
                if (found.TryGetValue(seq, out var at)) into.Append(at.Slot, at.Run.FrameOf(at.Slot));
                // An ordinary event's only copy is the owner's.
                else if (ring.Refusal is not null) throw new LogUnavailableException("The owner does not answer.");
                else Lose(state, seq);
            }
            return into;
        }
        finally
        {
            foreach (var run in runs) run.Dispose();
        }

        void Keep(EventRun run)
        {
            runs.Add(run);
            foreach (ref readonly var slot in run.Slots) found.TryAdd(slot.Seq, (run, slot));
        }

        async Task ReadParked(long seq)
        {
            var page = await context.Log.ReadParked(_handle.Stream, _name, seq - 1, 1, int.MaxValue);
            runs.Add(page.Events);
            if (page.Events.Count == 0 || page.Events.First != seq) return;
            found[seq] = (page.Events, page.Events.Slots[0]);
            earlier?.Add(seq, Subscription.ReadNote(page.Notes[0]).Attempts);
        }
    }

    private void Lose(Subscription state, long seq)
    {
        Lost(context.Logger, _stream, _name, seq);
        state.Missing(seq, Now);
        Turned();
    }

    [LoggerMessage(EventIds.EventsParked, LogLevel.Warning,
        "{Count} events of stream {Stream} are parked as dead letters of subscriber {Subscriber}")]
    private static partial void Parked(ILogger logger, int count, string stream, string subscriber);

    [LoggerMessage(EventIds.OwedEventLost, LogLevel.Warning,
        "Stream {Stream}: seq {Seq}, owed to subscriber {Subscriber}, is in neither buffer nor storage any more")]
    private static partial void Lost(ILogger logger, string stream, string subscriber, long seq);
}
