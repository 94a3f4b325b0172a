using Microsoft.Extensions.Logging;
using OrleansEvents.Grains.Nodes;
using OrleansEvents.Grains.Subscribers;
using OrleansEvents.Grains.Taps;
using OrleansEvents.Streams;

namespace OrleansEvents.Grains;

internal sealed partial class StreamGrain
{
    private static readonly TimeSpan FinestLook = TimeSpan.FromMilliseconds(50);

    private IGrainTimer _timer = null!;
    private long _lookAtMs = long.MaxValue;
    private bool _isAbsent;
    private TaskScheduler _scheduler = null!;

    public long LastActivityMs => _stream?.LastActivityMs ?? 0;

    public long HeldBytes => _feed.Bytes;

    /// <summary>Gives the ring's memory back, in a turn of the grain's own.</summary>
    public void EvictAll() => Task.Factory.StartNew(() => _stream?.EvictAll(), CancellationToken.None,
        TaskCreationOptions.DenyChildAttach, _scheduler);

    public override Task OnActivateAsync(CancellationToken cancellationToken)
    {
        _name = this.GetPrimaryKeyString();
        _badName = StreamName.Check(_name);
        NewFeed();
        context.Budget.Add(this);
        context.Counts.Add(ClusterCount.StreamActivations);
        _scheduler = TaskScheduler.Current;
        _timer = this.RegisterGrainTimer(
            static (StreamGrain grain, CancellationToken _) => grain.Look(),
            this,
            new GrainTimerCreationOptions
            {
                DueTime = Timeout.InfiniteTimeSpan,
                Period = Timeout.InfiniteTimeSpan,
                Interleave = true,
            });
        return Task.CompletedTask;
    }

    /// <summary>Closes gracefully, so that the next activation goes on where this one ended, with its ring.</summary>
    public override async Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken)
    {
        context.Budget.Remove(this);
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
        _taps.Leave();
        context.Owned.Remove(_name);
        context.Counts.StreamLeft(Leaving.Why(reason, _isFenced));
    }

    private void NewFeed()
    {
        _feed = new StreamFeed(_name, context.Memory);
        // Those of the feed before are told its end, and are nobody's.
        context.Counts.Add(ClusterCount.TapsOfOwner, -(_taps?.Count ?? 0));
        _taps = new StreamTaps(_feed, context.Options, context.Counts, logger);
        _owing = new OwedSubscribers(_name, GrainFactory, context.Options.Subscribers, logger);
    }

    /// <summary>Opens the stream unless it is open; why it is not, or null.</summary>
    private async ValueTask<Refusal?> EnsureOpen(bool create)
    {
        if (_badName is not null) return _badName;
        if (_isFenced) return Transient.Moving;
        if (_stream is not null) return null;
        await _life.WaitAsync();
        try
        {
            if (_stream is not null) return null;
            // Only this grain makes the stream: while it lives, what was absent stays so.
            return _isAbsent && !create || !await Open(create) ? _isAbsent ? Absent() : StoreUnavailable : null;
        }
        finally
        {
            _life.Release();
        }
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
        _taps.See(context.Options.Defaults);
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
        _owing.Load(opened, owed);
        _stream.Shown = opened.Subscribers.Count > 0 ? [] : null;
        Used();
        // The stream's own idleAfter says when to leave, not the silo's collection of idle grains.
        DelayDeactivation(Timeout.InfiniteTimeSpan);
        Opened(logger, _name, opened.Created, opened.Closed is not null || opened.Created, _feed.Count);
        Turned();
        if (_name == StreamDirectory.Name) return;
        context.Owned.Add(_name);
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

    /// <summary>The deadline that was asked for has come.</summary>
    private Task Look()
    {
        _lookAtMs = long.MaxValue;
        var now = context.Now;
        _taps.Expire(now.Ms);
        if (_stream is not { } stream)
        {
            Arm();
            return Task.CompletedTask;
        }
        stream.AcknowledgedThrough = _owing.DoneThrough;
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
        return Task.CompletedTask;
    }

    private void Arm()
    {
        var now = context.Now;
        var dueMs = Math.Min(Math.Min(_taps.NextExpiryMs, _owing.NextTickMs(now)),
            Math.Min(IdleAtMs, _stream?.NextTickMs(now) ?? long.MaxValue));
        if (dueMs >= _lookAtMs) return;
        _lookAtMs = dueMs;
        var wait = Math.Clamp(dueMs - now.Ms, (long)FinestLook.TotalMilliseconds, int.MaxValue);
        _timer.Change(TimeSpan.FromMilliseconds(wait), Timeout.InfiniteTimeSpan);
    }

    /// <summary>Unloads the idle stream, unless storage is down: it could not be opened again.</summary>
    private async Task Leave()
    {
        if (await Attempt(() => context.Log.Probe())) DeactivateOnIdle();
    }

    private long IdleAtMs => _stream is not { } stream || _taps.Count > 0 || _owing.AreFollowing
        || stream.HasStaged || stream.NeedsReopen
        ? long.MaxValue
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
