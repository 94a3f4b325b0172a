using OrleansEvents.Streams;

namespace OrleansEvents.Api.Embedded;

/// <summary>What came of opening a stream.</summary>
internal enum Opening
{
    /// <summary>It is open.</summary>
    Open,

    /// <summary>There is none; its feed waits.</summary>
    Absent,

    /// <summary>This host is gone: ask for the next one.</summary>
    Gone,

    /// <summary>Storage does not answer.</summary>
    StoreDown,
}

internal sealed partial class StreamHost
{
    /// <summary>Opens the stream unless it is open.</summary>
    public async ValueTask<Opening> EnsureOpen(bool create)
    {
        if (_phase == Phase.Open) return Opening.Open;
        await _life.WaitAsync();
        try
        {
            lock (_turn)
            {
                switch (_phase)
                {
                    case Phase.Open: return Opening.Open;
                    case Phase.Gone: return Opening.Gone;
                    case Phase.Absent when !create: return Opening.Absent;
                }
                if (context.Circuit.IsOpen) return Opening.StoreDown;
                _opening = true;
            }
            return await Open(create);
        }
        finally
        {
            lock (_turn) _opening = false;
            _life.Release();
        }
    }

    /// <summary>Completes when a closing that is under way has ended.</summary>
    public async Task Left()
    {
        await _life.WaitAsync();
        _life.Release();
    }

    /// <summary>Changes the settings that a JSON object has, durably; null when the stream is not open.</summary>
    public async Task<Outcome<StreamSettings>?> Configure(ReadOnlyMemory<byte> json)
    {
        await _life.WaitAsync();
        try
        {
            StreamSettings? settings = null;
            Refusal invalid = default;
            long? since = null;
            LogHandle handle = default;
            // Read within its life: of two changes at once the second begins with what the first has made.
            var isOpen = Turn((stream, _) =>
            {
                if (stream.Settings.TryApply(json, out settings, out invalid))
                    (since, handle) = (stream.BeginSettings(settings), stream.Handle);
            });
            if (!isOpen) return null;
            if (settings is null) return invalid;
            var ok = await Attempt(() => context.Log.SaveSettings(handle, settings.ToJson(), since));
            Turn((stream, now) => stream.SettingsSaved(settings, since, ok, now));
            return ok ? settings : StoreCircuit.Untaken;
        }
        finally
        {
            _life.Release();
        }
    }

    /// <summary>Completes or deletes; null when that was done already. The stream must be open.</summary>
    public async Task<bool?> End(StreamState state)
    {
        await _life.WaitAsync();
        try
        {
            var (begun, handle) = (false, default(LogHandle));
            Turn((stream, _) =>
            {
                // A completed stream can still be deleted.
                begun = stream.BeginEnd() || state == StreamState.Deleted;
                handle = stream.Handle;
            });
            if (!begun) return null;
            await Drain();
            var ok = await Attempt(() => state == StreamState.Deleted ? Delete(handle) : context.Log.Complete(handle));
            Turn((stream, _) => stream.Ended(state, ok));
            if (ok && state == StreamState.Deleted) Leave();
            return ok;
        }
        finally
        {
            _life.Release();
        }
    }

    private async Task Delete(LogHandle handle)
    {
        try
        {
            await context.Log.Delete(handle, context.Now.UnixMs);
        }
        catch (LogFencedException)
        {
            // An earlier try that failed may have happened after all.
            if (!await context.Log.IsDeleted(Name)) throw;
        }
    }

    /// <summary>Closes gracefully, so that the next opening goes on where this one ended.</summary>
    public async Task Close()
    {
        await _life.WaitAsync();
        try
        {
            await CloseInLife(evenIfUsed: true);
        }
        finally
        {
            _life.Release();
        }
    }

    private async Task CloseIfIdle()
    {
        lock (_turn)
            if (_phase != Phase.Open || !IsIdle_UnderLock(context.Now)) return;
        await _life.WaitAsync();
        try
        {
            await CloseInLife(evenIfUsed: false);
        }
        finally
        {
            _life.Release();
        }
    }

    private async Task CloseInLife(bool evenIfUsed)
    {
        GracefulClose? close = null;
        LogHandle handle = default;
        Turn((_, _) => SaveAll_UnderLock());
        while (close is null)
        {
            await Drain();
            lock (_turn)
            {
                if (_phase != Phase.Open || _stream!.NeedsReopen) return;
                if (!evenIfUsed && !IsIdle_UnderLock(context.Now)) return;
                // Came since it was drained.
                if (_stream.HasStaged || Saving_UnderLock() is not null) continue;
                (close, handle) = (_stream.Close(), _stream.Handle);
                _phase = Phase.Closing;
            }
        }
        using var ring = close.Ring;
        var ok = await Attempt(() => context.Log.Close(handle, close));
        if (!ok)
        {
            lock (_turn)
            {
                _stream!.CloseFailed();
                _phase = Phase.Open;
            }
            return;
        }
        Leave();
    }

    private void Leave()
    {
        List<SubscriberSession>? ended = null;
        lock (_turn)
        {
            Gone_UnderLock();
            // Readers learn it from the feed.
            foreach (var entry in _subscribers.Values)
            {
                context.Totals.Add(entry.Told.Gone);
                if (entry.Sessions.Exists(session => session.Kind == SessionKind.Push))
                    EndSessions_UnderLock(entry, ref ended);
            }
        }
        gone(this);
        Feed.Wake();
        new Followed(ended, null).Tell(this);
        lock (_turn) _stream?.EvictAll();
    }

    private async Task Drain()
    {
        while (true)
        {
            Task? draining = null;
            Turn((stream, _) => draining = stream.Draining ?? Saving_UnderLock());
            if (draining is null) return;
            await draining;
        }
    }

    private async Task<Opening> Open(bool create)
    {
        var now = context.Now;
        OpenedStream? found = null;
        EventRun? ring = null;
        OwedMark[] owed = [];
        List<SubscriberEntry> subscribers = [];
        var deleted = false;
        var ok = await Attempt(async () =>
        {
            found = await context.Log.Open(Name, context.NewEpoch(), create, now.UnixMs);
            if (found is null) deleted = await context.Log.IsDeleted(Name);
            else
            {
                subscribers = Parse(found);
                (ring, owed) = await ReadBack(found = await Pin(found), subscribers);
            }
        }, "open");
        if (!ok) return Opening.StoreDown;
        if (found is null)
        {
            Feed.MarkMissing(deleted);
            lock (_turn) _phase = Phase.Absent;
            Feed.Wake();
            return Opening.Absent;
        }
        using (ring) Begin(found, ring!, subscribers, owed);
        opened(this);
        return Opening.Open;
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

    private async Task<(EventRun Ring, OwedMark[] Owed)> ReadBack(OpenedStream opened,
        List<SubscriberEntry> subscribers)
    {
        var settings = SettingsOf(opened);
        var ring = opened.Closed?.Ring
            ?? await context.Log.ReadNewest(opened.Handle.Id, settings.Buffer, (int)Math.Min(settings.BufferBytes,
                int.MaxValue));
        OwedMark[] owed = subscribers.Count == 0 ? [] : await context.Log.ReadOwed(opened.Handle.Id, 0,
            settings.Durable && subscribers.Exists(each => each.State.Policy.OwesAll),
            subscribers.Exists(each => each.State.WantsTypes));
        return (ring, owed);
    }

    private StreamSettings SettingsOf(OpenedStream opened) =>
        opened.Settings is null ? context.Defaults : StreamSettings.Parse(opened.Settings);

    private void Begin(OpenedStream stored, EventRun ring, List<SubscriberEntry> subscribers, OwedMark[] owed)
    {
        Effects effects;
        lock (_turn)
        {
            var now = context.Now;
            _stream = new EventStream(Feed, stored, SettingsOf(stored), ring, context.Limits, now);
            LoadSubscribers_UnderLock(subscribers, stored, owed, now);
            (_phase, _isFenced) = (Phase.Open, false);
            effects = Decide_UnderLock(now);
        }
        StreamOpened(context.Logger, Name, stored.Created, stored.Closed is not null || stored.Created, Feed.Count);
        Perform(effects);
    }

    private bool IsIdle_UnderLock(Instant now) => IdleAtMs_UnderLock(_stream!) <= now.Ms;

    private long IdleAtMs_UnderLock(EventStream stream) =>
        // Nothing is closed while storage is down; when it is back, every stream is looked at.
        _leases > 0 || _holds > 0 || stream.HasStaged || stream.NeedsReopen || context.Circuit.IsOpen
            ? long.MaxValue
            : Math.Max(stream.OrdinaryKeysUntilMs,
                Math.Max(stream.LastActivityMs, _lastUsedMs) + (long)stream.Settings.IdleAfter.TotalMilliseconds);

    [LoggerMessage(EventIds.StreamOpened, LogLevel.Debug,
        "Stream {Stream} opened (created: {Created}, whole: {Whole}) with {Events} events in its buffer")]
    private static partial void StreamOpened(ILogger logger, string stream, bool created, bool whole, int events);
}
