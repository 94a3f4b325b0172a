using OrleansEvents.Streams;

namespace OrleansEvents.Api.Embedded;

internal sealed partial class StreamHost
{
    /// <summary>What nobody waits for, attempts say, is on storage after so long.</summary>
    private static readonly TimeSpan Checkpoint = TimeSpan.FromSeconds(1);

    private readonly PriorityQueue<SubscriberEntry, long> _looks = new();
    private readonly List<SubscriberEntry> _touched = [];

    /// <summary>A turn of one subscriber; nothing happens when the stream is not open.</summary>
    public bool Act(SubscriberEntry entry, Action<Subscription, Instant> act)
    {
        Followed followed;
        lock (_turn)
        {
            if (_phase != Phase.Open) return false;
            var now = context.Now;
            act(entry.State, now);
            Touch_UnderLock(entry);
            followed = Settle_UnderLock(now);
        }
        followed.Tell(this);
        return true;
    }

    /// <summary>A turn of one subscriber whose outcome is saved; false when that failed, or there was nothing to
    /// save.</summary>
    private async Task<bool> Save(SubscriberEntry entry, Func<Subscription, bool> begin)
    {
        Task<bool> saved = Task.FromResult(false);
        Act(entry, (state, _) =>
        {
            if (begin(state)) saved = Save_UnderLock(entry);
        });
        return await saved;
    }

    private void Touch_UnderLock(SubscriberEntry entry)
    {
        if (entry.IsTouched) return;
        entry.IsTouched = true;
        _touched.Add(entry);
    }

    /// <summary>What follows from what was done with subscribers in this turn: saves, looks to come, sessions to
    /// wake.</summary>
    private Followed Settle_UnderLock(Instant now)
    {
        if (_touched.Count == 0) return default;
        List<SubscriberSession>? woken = null;
        List<string>? pushes = null;
        SubscriberFigures change = default;
        foreach (var entry in _touched)
        {
            entry.IsTouched = false;
            if (!entry.IsRegistered) continue;
            var state = entry.State;
            var figures = SubscriberFigures.Of(state);
            change += figures - entry.Told;
            entry.Told = figures;
            if (state.TakeSharesChanged()) EndSessions_UnderLock(entry, ref woken);
            if (state.TakeWoken() is not 0 and var bits)
                foreach (var session in entry.Sessions)
                    if ((bits & (1UL << session.Slot)) != 0) (woken ??= []).Add(session);
            if (!state.IsPushed) entry.IsPushAsked = false;
            else if (state.PendingCount > 0 && !entry.IsPushAsked)
            {
                entry.IsPushAsked = true;
                (pushes ??= []).Add(state.Name);
            }
            PlanSave_UnderLock(entry, now);
            Look_UnderLock(entry, Math.Min(entry.SaveAtMs, state.NextDueMs(now)));
        }
        _touched.Clear();
        context.Totals.Add(change);
        // Storage is trimmed by what is done, and looked at for that no more than once a second.
        if (_stream!.StoredCount > 0) Look_UnderLock(now.Ms + (long)Checkpoint.TotalMilliseconds);
        return new Followed(woken, pushes);
    }

    private void PlanSave_UnderLock(SubscriberEntry entry, Instant now)
    {
        if (entry.Saving) return;
        var dueMs = entry.State.NextSaveMs(Checkpoint, now);
        if (dueMs <= now.Ms) _ = Save_UnderLock(entry);
        else entry.SaveAtMs = Math.Min(entry.SaveAtMs, dueMs);
    }

    private void Look_UnderLock(SubscriberEntry entry, long dueMs)
    {
        if (dueMs >= entry.LookAtMs) return;
        entry.LookAtMs = dueMs;
        _looks.Enqueue(entry, dueMs);
        Look_UnderLock(dueMs);
    }

    /// <summary>Looks at subscribers whose time has come, a few in a turn: other turns come between. True: there are
    /// more.</summary>
    private bool LookAtSubscribers_UnderLock(Instant now)
    {
        const int AtOnce = 4;
        for (var i = 0; i < AtOnce; i++)
        {
            if (!_looks.TryPeek(out var entry, out var dueMs)) return false;
            if (dueMs > now.Ms)
            {
                Look_UnderLock(dueMs);
                return false;
            }
            _looks.Dequeue();
            if (entry.LookAtMs != dueMs || _subscribers.GetValueOrDefault(entry.State.Name) != entry) continue;
            entry.LookAtMs = long.MaxValue;
            entry.State.Tick(now);
            if (entry.State.IsExpired(now)) Expire_UnderLock(entry);
            else if (entry.SaveAtMs <= now.Ms) _ = Save_UnderLock(entry);
            Touch_UnderLock(entry);
        }
        return true;
    }

    /// <summary>What closing must wait for: a save that came behind it would find the stream closed.</summary>
    private Task? Saving_UnderLock() => _subscribers.Values.FirstOrDefault(entry => entry.Saving)?.Saves;

    /// <summary>Has saved what was not yet, before the stream is closed.</summary>
    private void SaveAll_UnderLock()
    {
        foreach (var entry in _subscribers.Values)
            if (entry.IsRegistered && (entry.State.IsUnsaved || entry.State.IsChanging)) _ = Save_UnderLock(entry);
    }

    private Task<bool> Save_UnderLock(SubscriberEntry entry)
    {
        entry.SaveAtMs = long.MaxValue;
        entry.NextSave ??= new(TaskCreationOptions.RunContinuationsAsynchronously);
        var saved = entry.NextSave.Task;
        if (!entry.Saving)
        {
            entry.Saving = true;
            entry.Saves = RunSaves(entry);
        }
        return saved;
    }

    private async Task RunSaves(SubscriberEntry entry)
    {
        await Task.Yield();
        while (true)
        {
            TaskCompletionSource<bool>? waiting;
            SubscriptionSave save;
            LogHandle handle;
            lock (_turn)
            {
                (waiting, entry.NextSave) = (entry.NextSave, null);
                if (waiting is null)
                {
                    entry.Saving = false;
                    if (_phase == Phase.Open) PlanSave_UnderLock(entry, context.Now);
                    if (entry.SaveAtMs < long.MaxValue) Look_UnderLock(entry, entry.SaveAtMs);
                    return;
                }
                if (entry.Sessions.Count > 0) entry.State.LastSeenMs = context.Now.UnixMs;
                (save, handle) = (entry.State.BeginSave(), _stream!.Handle);
            }
            var parkedMs = context.Now.UnixMs;
            HashSet<long> parked = [];
            var ok = await Attempt(async () => parked = await Write(entry, handle, save, parkedMs));
            if (parked.Count > 0) Parked(context.Logger, parked.Count, Name, entry.State.Name);
            if (!Act(entry, (state, now) => state.Saved(save, ok, parked, parkedMs, now)))
                lock (_turn) entry.State.Saved(save, ok, parked, parkedMs, context.Now);
            waiting.TrySetResult(ok);
        }
    }

    /// <summary>Writes a save, with the bytes of what is to be parked; returns what was.</summary>
    private async Task<HashSet<long>> Write(SubscriberEntry entry, LogHandle handle, SubscriptionSave save,
        long parkedMs)
    {
        using var events = save.Parking.Count == 0 ? null
            : await ReadOwed(entry, [.. save.Parking.Select(note => note.Seq)], int.MaxValue);
        var write = save.WriteOf(entry.State.Name, events, parkedMs);
        await context.Log.SaveSubscriber(handle, write);
        return [.. write.ParkedSeqs];
    }

    [LoggerMessage(EventIds.EventsParked, LogLevel.Warning,
        "{Count} events of stream {Stream} are parked as dead letters of subscriber {Subscriber}")]
    private static partial void Parked(ILogger logger, int count, string stream, string subscriber);

    /// <summary>Sessions to wake and webhooks to push to, told outside the turn.</summary>
    private readonly record struct Followed(List<SubscriberSession>? Woken, List<string>? Pushes)
    {
        public void Tell(StreamHost host)
        {
            if (Woken is not null)
                foreach (var session in Woken) session.Woken?.Invoke();
            if (Pushes is not null)
                foreach (var subscriber in Pushes) host.AskForPush(subscriber);
        }
    }
}
