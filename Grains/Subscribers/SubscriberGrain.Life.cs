using Microsoft.Extensions.Logging;
using OrleansEvents.Grains.Nodes;
using OrleansEvents.Grains.Interfaces;
using OrleansEvents.Streams;

namespace OrleansEvents.Grains.Subscribers;

internal sealed partial class SubscriberGrain
{
    private static readonly TimeSpan FinestLook = TimeSpan.FromMilliseconds(20);

    /// <summary>Who has something due sooner stays loaded for it.</summary>
    private const long SoonMs = 60_000;

    private IGrainTimer _timer = null!;
    private long _lookAtMs = long.MaxValue;
    private bool _isFenced;

    public override Task OnActivateAsync(CancellationToken cancellationToken)
    {
        context.Counts.Add(ClusterCount.SubscriberActivations);
        var key = this.GetPrimaryKeyString();
        var slash = key.LastIndexOf('/');
        (_stream, _name) = (key[..Math.Max(slash, 0)], key[(slash + 1)..]);
        _owner = GrainFactory.GetGrain<IOwingStreamGrain>(_stream);
        _timer = this.RegisterGrainTimer(
            static (SubscriberGrain grain, CancellationToken _) => grain.Look(),
            this,
            new GrainTimerCreationOptions
            {
                DueTime = Timeout.InfiniteTimeSpan,
                Period = Timeout.InfiniteTimeSpan,
                Interleave = true,
            });
        return Task.CompletedTask;
    }

    /// <summary>Saves what is not saved; the owner tells it nothing any more.</summary>
    public override async Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken)
    {
        context.Counts.SubscriberLeft(Leaving.Why(reason, _isFenced));
        if (_state is not { } state) return;
        if (!_isFenced && (state.IsUnsaved || state.IsChanging)) await Save(static _ => true);
        _isFollowing = false;
        if (!_isFenced) await Report();
        SendSessionsOn();
        Unload();
        // A call that was under way must not open the row against the next activation.
        _isFenced = true;
    }

    /// <summary>Their nodes find the next activation, and begin them there.</summary>
    private void SendSessionsOn()
    {
        foreach (var session in _sessions.Values)
        {
            session.IsWoken = false;
            Wake(session, mayTake: true);
        }
    }

    /// <summary>Loads the subscriber unless it is; why it is not, or null.</summary>
    private async ValueTask<Refusal?> Load()
    {
        _lastUsedMs = Now.Ms;
        if (_isFenced) return Transient.Moving;
        if (_state is not null) return null;
        await _life.WaitAsync();
        try
        {
            return _state is not null ? null : await LoadInLife();
        }
        finally
        {
            _life.Release();
        }
    }

    private async Task<Refusal?> LoadInLife()
    {
        OpenedSubscriber? opened = null;
        if (!await Attempt(async () => opened = await context.Rows.OpenSubscriber(_stream, _name, null, Now.UnixMs)))
            return Untaken;
        (_isTombstone, _removedHandle) = (false, default);
        if (opened is null) return NoStream;
        if (opened.Record is not { } record) return NoSubscriber;
        var state = new Subscription(record, context.Options.Defaults, 0, context.Options.Limits);
        if (state.RemovedMs is { } removed)
        {
            (_isTombstone, _removedHandle) = (Now.UnixMs - removed < TombstoneAge.TotalMilliseconds, opened.Handle);
            if (!_isTombstone) await ForgetTombstone();
            return NoSubscriber;
        }
        return await Begin(opened.Handle, StateOf(record), long.MaxValue);
    }

    private Func<long, Subscription> StateOf(SubscriberRecord record) =>
        head => new(record, context.Options.Defaults, head, context.Options.Limits);

    /// <summary>Registers the subscriber; why it cannot be, or null. Reported before it is stored: nothing that it will
    /// be owed is trimmed meanwhile; and after, so that the owner that does not know it by then does.</summary>
    private async Task<Refusal?> Register(SubscriberPolicy policy, bool isExplicit)
    {
        await _life.WaitAsync();
        try
        {
            if (_state is not null) return null;
            if (_removedHandle.Epoch > 0) await ForgetTombstone();
            if (_removedHandle.Epoch > 0) return Untaken;
            var asked = await _owner.Report(_name, ReportOf(default, policy, policy.Webhook is not null),
                create: true);
            if (asked.Refusal is { } refused) return refused;
            var answer = asked.Value!;
            var after = policy.OwedAfter(answer.Head.Seq, answer.TrimmedThrough, answer.Epochs);
            var made = new Subscription(_name, policy, isExplicit, after, answer.Head.Seq, context.Options.Limits, Now);
            var save = made.BeginSave();
            OpenedSubscriber? opened = null;
            if (!await Attempt(async () => opened = await context.Rows.OpenSubscriber(_stream, _name,
                new SubscriberWrite(_name, save.State) { Wakes = save.Wakes }, Now.UnixMs))) return Untaken;
            if (opened?.Record is not { } record) return Untaken;
            // Somebody else's, if it was made at the same time.
            var isOurs = record.State.Span.SequenceEqual(save.State.Span);
            made.Saved(save, isOurs, new HashSet<long>(), 0, Now);
            var refusal = isOurs ? await Begin(opened.Handle, _ => made, answer.Head.Seq)
                : await Begin(opened.Handle, StateOf(record), long.MaxValue);
            if (refusal is not null || _state is not { } begun) return refusal ?? Untaken;
            // Its time to stay away begins when it can be there.
            begun.LastSeenMs = Now.UnixMs;
            Registered(context.Logger, _stream, _name, begun.PendingCount);
            return null;
        }
        finally
        {
            _life.Release();
        }
    }

    /// <summary>Derives what is owed, and goes on from there.</summary>
    /// <param name="handle">Its opening.</param>
    /// <param name="make">Makes its state for a head.</param>
    /// <param name="registeredAt">The head when it was registered; what came since it is owed as what comes
    /// next.</param>
    private async Task<Refusal?> Begin(SubscriberHandle handle, Func<long, Subscription> make, long registeredAt)
    {
        var about = make(0);
        // Not caught: whoever asks tries again, when the owner is somewhere.
        var told = await _owner.Report(_name, ReportOf(handle, about.Policy, about.IsPushed), create: false);
        if (told.Refusal is { } refused) return refused;
        // Another stream of the same name, by now.
        if (told.Value!.Stream != handle.Stream) return Untaken;
        var owed = new List<ShownEvent>();
        if (await ReadOwed(0, about, owed.AddRange) is not { } head) return Untaken;
        var state = make(head.Seq);
        state.OweOlder(owed.Where(mark => mark.Seq <= registeredAt), Now);
        foreach (var mark in owed.Where(mark => mark.Seq > registeredAt)) state.Owe(mark, Now);
        (_state, _handle, _position, _epoch) = (state, handle, head.Seq, head.Epoch);
        _told = SubscriberFigures.CountsOf(state);
        _isFollowing = true;
        context.Counts.Add(ClusterCount.SubscribersLoaded);
        // Its own idleness says when to leave, not the silo's collection.
        DelayDeactivation(Timeout.InfiniteTimeSpan);
        Turned();
        await Report();
        // Deleted meanwhile, or another's.
        return _state is null ? Untaken : null;
    }

    private bool _isTombstone;
    private SubscriberHandle _removedHandle;

    private async Task ForgetTombstone()
    {
        var handle = _removedHandle;
        if (!await Attempt(() => context.Rows.RemoveSubscriber(handle))) return;
        (_removedHandle, _isTombstone) = (default, false);
        await Forget(handle);
    }

    /// <summary>One that registered by reading and has had no connection for too long is forgotten.</summary>
    private async Task Expire()
    {
        // Whoever comes meanwhile finds it there or gone, and does not load it from a row that is being removed.
        await _life.WaitAsync();
        try
        {
            if (_state is not { } state || !state.IsExpired(Now)) return;
            var handle = _handle;
            EndSessions();
            Unload();
            if (!await Attempt(() => context.Rows.RemoveSubscriber(handle))) return;
            await Forget(handle);
            Expired(context.Logger, _stream, _name, state.Policy.ExpireAfter.TotalSeconds);
        }
        finally
        {
            _life.Release();
        }
    }

    private void Unload()
    {
        if (_state is not null) context.Counts.Add(ClusterCount.SubscribersLoaded, -1);
        context.Totals.Add(_told.Gone);
        _told = default;
        _sessions.Clear();
        (_state, _isFollowing, _saveAtMs) = (null, false, long.MaxValue);
        // What is under way is not for whoever is loaded next.
        _nextSave?.TrySetResult(false);
        (_nextSave, _isSaving) = (null, false);
        DelayDeactivation(TimeSpan.Zero);
    }

    /// <summary>Another owner has its row: this one holds nothing that counts any more.</summary>
    private void Leave(LogFencedException fenced)
    {
        // What was under way when it was unloaded is nobody's.
        if (_isFenced || _state is null) return;
        _isFenced = true;
        context.Counts.Add(ClusterCount.SubscribersFenced);
        Fenced(context.Logger, _stream, _name, fenced.Message);
        SendSessionsOn();
        Unload();
        DeactivateOnIdle();
    }

    /// <summary>Storage's word on one call.</summary>
    private async Task<bool> Attempt(Func<Task> call)
    {
        try
        {
            await call();
            return true;
        }
        catch (LogUnavailableException e)
        {
            StorageFailed(context.Logger, _stream, _name, e.Message);
        }
        catch (LogFencedException e)
        {
            Leave(e);
        }
        return false;
    }

    private void Arm(long dueMs)
    {
        if (dueMs >= _lookAtMs) return;
        _lookAtMs = dueMs;
        var wait = Math.Clamp(dueMs - Now.Ms, (long)FinestLook.TotalMilliseconds, int.MaxValue);
        _timer.Change(TimeSpan.FromMilliseconds(wait), Timeout.InfiniteTimeSpan);
    }

    /// <summary>What time brings.</summary>
    private async Task Look()
    {
        _lookAtMs = long.MaxValue;
        if (_state is not { } state) return;
        var now = Now;
        ExpireSessions(now);
        state.Tick(now);
        if (state.IsExpired(now))
        {
            await Expire();
            return;
        }
        if (_saveAtMs <= now.Ms) _ = BeginSaves();
        var reports = _reportAtMs <= now.Ms;
        Turned();
        if (reports) await Report();
        if (_state is not null && IsIdle(Now)) DeactivateOnIdle();
        else Turned();
    }

    private bool IsIdle(Instant now) => _state is { } state && _sessions.Count == 0 && !state.IsPushed
        && state.Policy.Overflow != OverflowRule.Block && !_isSaving && !state.IsUnsaved && !state.IsChanging
        && now.Ms - _lastUsedMs >= context.Options.IdleAfter.TotalMilliseconds
        && state.NextDueMs(now) > now.Ms + SoonMs;

    [LoggerMessage(EventIds.SubscriberRegistered, LogLevel.Information,
        "Stream {Stream}: subscriber {Subscriber} registered, owed {Pending} events")]
    private static partial void Registered(ILogger logger, string stream, string subscriber, int pending);

    [LoggerMessage(EventIds.SubscriberRemoved, LogLevel.Information,
        "Stream {Stream}: subscriber {Subscriber} removed, which was owed {Pending} events")]
    private static partial void SubscriberRemoved(ILogger logger, string stream, string subscriber, int pending);

    [LoggerMessage(EventIds.SubscriberExpired, LogLevel.Information,
        "Stream {Stream}: subscriber {Subscriber} expired, {Seconds} s without a connection")]
    private static partial void Expired(ILogger logger, string stream, string subscriber, double seconds);

    [LoggerMessage(EventIds.SubscriberStorageFailed, LogLevel.Error,
        "Stream {Stream}: storage does not answer subscriber {Subscriber}: {Reason}")]
    private static partial void StorageFailed(ILogger logger, string stream, string subscriber, string reason);

    [LoggerMessage(EventIds.SubscriberFenced, LogLevel.Warning,
        "Stream {Stream}: subscriber {Subscriber} has another owner: {Reason}")]
    private static partial void Fenced(ILogger logger, string stream, string subscriber, string reason);
}
