using Microsoft.Extensions.Logging;
using Orleans.Runtime;
using Orleans.Runtime.Placement;
using OrleansEvents.Grains.Nodes;
using OrleansEvents.Grains.Subscribers;
using OrleansEvents.Grains.Taps;
using OrleansEvents.Streams;

namespace OrleansEvents.Grains;

internal sealed partial class StreamGrain
{
    private const string MovedKey = "moved";

    private long _lookAtMs = long.MaxValue;
    private bool _isAbsent;
    private bool _hasLeft;
    private bool _hasMoved;
    private TaskScheduler _scheduler = null!;

    /// <summary>An opening, an end or a change of settings that is under way.</summary>
    private TaskCompletionSource? _life;

    public long LastActivityMs => _stream?.LastActivityMs ?? 0;

    public long HeldBytes => _feed.Bytes;

    /// <summary>Gives the ring's memory back, in a turn of the grain's own.</summary>
    public void EvictAll() => InTurn(static grain => grain._stream?.EvictAll());

    int IWoken.Place { get; set; }

    int IHoldsMemory.BudgetPlace { get; set; }

    /// <summary>The deadline that was asked for has come.</summary>
    public void Wake() => InTurn(static grain => grain.Look());

    private void InTurn(Action<StreamGrain> act) => Task.Factory.StartNew(() => act(this), CancellationToken.None,
        TaskCreationOptions.DenyChildAttach, _scheduler);

    public override Task OnActivateAsync(CancellationToken cancellationToken)
    {
        _name = this.GetPrimaryKeyString();
        _isBadName = !StreamName.IsValid(_name);
        NewFeed();
        context.Budget.Add(this);
        context.Counts.Add(ClusterCount.StreamActivations);
        context.Alarms.Add(this);
        _scheduler = TaskScheduler.Current;
        Used();
        Arm();
        // Whoever waits for a stream that has moved need not be the one who opens it.
        if (_hasMoved) _ = EnsureOpen(create: false).AsTask();
        return Task.CompletedTask;
    }

    /// <summary>Ends here and goes on there; completes when that has begun. May be called on any thread.</summary>
    public Task MoveTo(SiloAddress silo)
    {
        GrainContext.Migrate(new() { [IPlacementDirector.PlacementHintKey] = silo }, CancellationToken.None);
        return GrainContext.Deactivated;
    }

    // What is to be known is on storage: this only says that there was an owner.
    void IGrainMigrationParticipant.OnDehydrate(IDehydrationContext dehydrating) =>
        dehydrating.TryAddValue(MovedKey, true);

    void IGrainMigrationParticipant.OnRehydrate(IRehydrationContext rehydrating) =>
        _hasMoved = rehydrating.TryGetValue(MovedKey, out bool moved) && moved;

    /// <summary>Closes gracefully, so that the next activation goes on where this one ended, with its ring.</summary>
    public override async Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken)
    {
        _hasLeft = true;
        context.Budget.Remove(this);
        context.Alarms.Remove(this);
        // What is being opened has taken what its last owner left: it is closed as any other.
        while (_life is { } life && !cancellationToken.IsCancellationRequested)
            await life.Task.WaitAsync(cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing
                | ConfigureAwaitOptions.ContinueOnCapturedContext);
        if (_stream is { } stream)
        {
            if (!_isFenced && !stream.HasStaged && !stream.NeedsReopen)
            {
                var close = stream.Close();
                using var ring = close.Ring;
                var ok = await Attempt(() => context.Log.Close(stream.Handle, close));
                Closed(logger, _name, ok, reason.Description);
            }
            stream.EvictAll();
        }
        _taps?.Leave();
        context.Owned.Remove(_name, this);
        context.Counts.StreamLeft(Leaving.Why(reason, _isFenced));
    }

    private void NewFeed()
    {
        _feed = new StreamFeed(_name, context.Memory);
        // Those of the feed before are told its end, and are nobody's.
        context.Counts.Add(ClusterCount.TapsOfOwner, -(_taps?.Count ?? 0));
        (_taps, _owing) = (null, null);
    }

    /// <summary>Opens the stream unless it is open; why it is not, or null.</summary>
    private async ValueTask<Refusal?> EnsureOpen(bool create)
    {
        if (_isBadName) return StreamName.Check(_name);
        if (_isFenced) return Transient.Moving;
        if (_stream is not null) return null;
        await BeginLife();
        try
        {
            if (_stream is not null) return null;
            if (_hasLeft) return Transient.Moving;
            await FormerLeaves();
            // Only this grain makes the stream: while it lives, what was absent stays so.
            return _isAbsent && !create || !await Open(create) ? _isAbsent ? Absent() : StoreUnavailable : null;
        }
        finally
        {
            EndLife();
        }
    }

    /// <summary>Where the directory has lost an owner, another is made beside it: whoever is still here closes first,
    /// or its events would be told as lost.</summary>
    private async Task FormerLeaves()
    {
        if (context.Owned.OwnerOf(_name) is not { } former || former == this) return;
        former.GrainContext.Deactivate(new(DeactivationReasonCode.DirectoryFailure, "Another has been made."));
        await former.GrainContext.Deactivated.WaitAsync(context.Options.FormerWait, context.Time)
            .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
    }

    private Refusal Absent() => new(Streams.ErrorCode.NotFound, $"There is no stream {_name}.");

    /// <summary>False when storage does not answer, or when there is no such stream.</summary>
    private async Task<bool> Open(bool create)
    {
        OpenedStream? found = null;
        EventRun? ring = null;
        IReadOnlyList<OwedMark> owed = [];
        var deleted = false;
        var ok = await Attempt(async () =>
        {
            found = await context.Log.Open(_name, context.Epochs.Draw(), create, context.Now.UnixMs);
            if (found is null) deleted = await context.Log.IsDeleted(_name);
            else ring = found.Closed?.Ring ?? await ReadNewest(found);
            if (found is not null) (found, owed) = (await Pin(found), await ReadOwedOf(found));
        });
        _isAbsent = ok && found is null;
        if (_isAbsent) MarkMissing(deleted);
        if (!ok || found is null) return false;
        using (ring) Begin(found, ring!, owed);
        return true;
    }

    private void MarkMissing(bool deleted)
    {
        _feed.MarkMissing(deleted);
        _taps?.See(context.Options.Defaults);
    }

    /// <summary>A stream that is durable by default is from now on whole on storage, which is recorded together with
    /// its settings: were the defaults to change, that would no longer be true.</summary>
    private async Task<OpenedStream> Pin(OpenedStream opened)
    {
        if (opened.DurableSince is not null || SettingsOf(opened) is not { Durable: true } settings) return opened;
        var pinned = opened with { Settings = settings.ToJson(), DurableSince = opened.Epochs[^1].First - 1 };
        await context.Log.SaveSettings(opened.Handle, pinned.Settings, pinned.DurableSince);
        return pinned;
    }

    private async Task<EventRun> ReadNewest(OpenedStream opened)
    {
        if (opened.Extents.Count == 0) return new EventRun();
        var settings = SettingsOf(opened);
        return await context.Log.ReadNewest(opened.Handle.Id, settings.Buffer, settings.BufferBytes);
    }

    private StreamSettings SettingsOf(OpenedStream opened) =>
        opened.Settings is null ? context.Options.Defaults : StreamSettings.Parse(opened.Settings);

    private void Begin(OpenedStream opened, EventRun ring, IReadOnlyList<OwedMark> owed)
    {
        _stream = new EventStream(_feed, opened, SettingsOf(opened), ring, context.Options.Limits, context.Now);
        if (opened.Subscribers.Count > 0) Owing.Load(opened, owed);
        _stream.Shown = opened.Subscribers.Count > 0 ? [] : null;
        Used();
        Opened(logger, _name, opened.Created, opened.Closed is not null || opened.Created, _feed.Count);
        Turned();
        if (StreamDirectory.IsInternal(_name)) return;
        context.Owned.Add(_name, this);
        NoteMove(opened);
        context.Directory.Announce(_name);
    }

    private void NoteMove(OpenedStream opened)
    {
        if (opened.Epochs.Count < 2 || context.Epochs.Has(opened.Epochs[^2].Epoch)) return;
        var handedOver = opened.Closed is not null;
        context.Counts.Add(handedOver ? ClusterCount.HandedOver : ClusterCount.TakenOver);
        Moved(logger, _name, context.Node, handedOver);
    }

    private void Look()
    {
        if (_hasLeft) return;
        _lookAtMs = long.MaxValue;
        var now = context.Now;
        _taps?.Expire(now.Ms);
        if (_stream is not { } stream)
        {
            if (IdleAtMs <= now.Ms) DeactivateOnIdle();
            else Arm();
            return;
        }
        stream.AcknowledgedThrough = _owing?.DoneThrough;
        var (handle, through) = (stream.Handle, stream.Tick(now));
        LookAtSubscribers(stream, now);
        if (through > 0) _ = Attempt(() => context.Log.Trim(handle, through, now.UnixMs));
        if (IdleAtMs <= now.Ms)
        {
            // Should storage be down, the question comes up again after as long.
            Used();
            _ = Leave();
        }
        Turned();
    }

    private void Arm()
    {
        if (_hasLeft) return;
        var now = context.Now;
        var dueMs = Math.Min(
            Math.Min(_taps?.NextExpiryMs ?? long.MaxValue, _owing?.NextTickMs(now) ?? long.MaxValue),
            Math.Min(IdleAtMs, _stream?.NextTickMs(now) ?? long.MaxValue));
        if (dueMs >= _lookAtMs) return;
        _lookAtMs = dueMs;
        context.Alarms.Set(this, dueMs);
    }

    /// <summary>Unloads the idle stream, unless storage is down: it could not be opened again.</summary>
    private async Task Leave()
    {
        if (await Attempt(() => context.Log.Probe())) DeactivateOnIdle();
    }

    /// <summary>When nobody will have needed it for as long as is set; a grain without a stream stays as long as
    /// others do.</summary>
    private long IdleAtMs => _taps is { Count: > 0 } || _owing is { AreFollowing: true } ? long.MaxValue
        : _stream is not { } stream ? _lastUsedMs + (long)context.Options.AbsentAfter.TotalMilliseconds
        : stream.HasStaged || stream.NeedsReopen ? long.MaxValue
        : Math.Max(stream.OrdinaryKeysUntilMs,
            Math.Max(stream.LastActivityMs, _lastUsedMs) + (long)stream.Settings.IdleAfter.TotalMilliseconds);

    [LoggerMessage(EventIds.StreamOpened, LogLevel.Debug,
        "Stream {Stream} opened (created: {Created}, whole: {Whole}) with {Events} events in its buffer")]
    private static partial void Opened(ILogger logger, string stream, bool created, bool whole, int events);

    [LoggerMessage(EventIds.StreamMoved, LogLevel.Debug,
        "Stream {Stream} came from another process to {Node} (handed over: {HandedOver})")]
    private static partial void Moved(ILogger logger, string stream, string node, bool handedOver);

    [LoggerMessage(EventIds.StreamClosed, LogLevel.Debug, "Stream {Stream} closed (buffer saved: {Saved}): {Reason}")]
    private static partial void Closed(ILogger logger, string stream, bool saved, string reason);
}
