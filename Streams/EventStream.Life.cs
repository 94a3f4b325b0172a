namespace OrleansEvents.Streams;

public sealed partial class EventStream
{
    private StoredExtents _stored;
    private bool _ending;
    private bool _reserving;

    /// <summary>When something was last appended or loaded, monotonic.</summary>
    public long LastActivityMs { get; private set; }

    /// <summary>Events in storage.</summary>
    public long StoredCount => _stored.Count;

    /// <summary>Bytes of events in storage.</summary>
    public long StoredBytes => _stored.Bytes;

    /// <summary>Durable events up to here are owed to no subscriber; null when there is none. The host keeps it: what
    /// lies beyond is never trimmed, and what lies before is in an ordinary stream.</summary>
    public long? AcknowledgedThrough { get; set; }

    /// <summary>What is owed up to here is past the stream's retention: it is trimmed when the host has had it
    /// parked. 0: nothing.</summary>
    public long OverdueThrough { get; private set; }

    /// <summary>When a stored event was appended, as nearly as is known; Unix milliseconds.</summary>
    public long AppendedMsOf(long seq) => _stored.AppendedMsOf(seq);

    /// <summary>
    /// What time brings: evicts what is too old, forgets keys, makes void what has waited too long. Returns how far
    /// storage may be trimmed, or 0. Call it when <see cref="NextTickMs"/> has come, or later.
    /// </summary>
    public long Tick(Instant now)
    {
        EvictRing(now);
        _keys.Expire(now);
        _requests.Expire(now);
        if (VoidAtMs <= now.Ms) Void(now);
        var through = _stored.Trim(Settings.Retention, _logAll ? 0 : AcknowledgedThrough ?? 0,
            AcknowledgedThrough ?? long.MaxValue, now, out var overdue);
        OverdueThrough = overdue;
        if (through > 0) Feed.History = Feed.History with { TrimmedThrough = through };
        return through;
    }

    /// <summary>When <see cref="Tick"/> is next needed, monotonic; the end of time when nothing ages.</summary>
    public long NextTickMs(Instant now)
    {
        const long Coarse = 1000;
        var due = long.MaxValue;
        if (Settings.MaxAge is { } maxAge && Feed.Count > 0) due = Feed.OldestMs + (long)maxAge.TotalMilliseconds;
        if (Settings.Retention.Age is { } age && _stored.OldestMs < long.MaxValue)
            due = Math.Min(due, _stored.OldestMs + (long)age.TotalMilliseconds);
        if (due < long.MaxValue) due += now.Ms - now.UnixMs + 1;
        due = Math.Min(due, Math.Min(_keys.NextExpiryMs, _requests.NextExpiryMs));
        if (_stored.Changed || (!_logAll && AcknowledgedThrough >= _stored.OldestLast)) due = 0;
        return Math.Min(VoidAtMs, due == long.MaxValue ? due : Math.Max(due, now.Ms + Coarse));
    }

    /// <summary>The reservation to record, when half of it is used; null otherwise, and while one is under
    /// way.</summary>
    public long? BeginReserve()
    {
        if (_reserving || NeedsReopen || _reservedThrough - LastGiven > IEventLog.NumberBlock / 2) return null;
        _reserving = true;
        return _reservedThrough + IEventLog.NumberBlock;
    }

    /// <summary>The outcome of a reservation.</summary>
    public void Reserved(long through, bool succeeded)
    {
        _reserving = false;
        if (succeeded) _reservedThrough = Math.Max(_reservedThrough, through);
    }

    /// <summary>Begins a change of settings: from now on events are logged as the new ones ask. Returns since when
    /// the stream will be whole on storage, to be saved with them.</summary>
    public long? BeginSettings(StreamSettings settings)
    {
        if (!settings.Durable) return null;
        _logAll = true;
        return Feed.History.DurableSince ?? LastGiven;
    }

    /// <summary>The outcome of saving settings.</summary>
    public void SettingsSaved(StreamSettings settings, long? durableSince, bool succeeded, Instant now)
    {
        if (succeeded)
        {
            Settings = settings;
            _stored.Recheck();
            Feed.History = Feed.History with { DurableSince = durableSince };
        }
        // A failed save may have happened: were ordinary events not logged then, a crash could lose them in silence.
        _logAll = Settings.Durable || (!succeeded && _logAll);
        EvictRing(now);
    }

    /// <summary>Begins the end: nothing more is appended; false when it has ended or is ending. The host awaits what
    /// is staged, records the end, and calls <see cref="Ended"/>.</summary>
    public bool BeginEnd()
    {
        if (_ending || Feed.History.State != StreamState.Open) return false;
        return _ending = true;
    }

    /// <summary>The outcome of ending.</summary>
    public void Ended(StreamState state, bool succeeded)
    {
        _ending = false;
        if (succeeded) Feed.History = Feed.History with { State = state };
    }

    /// <summary>What a graceful close keeps. Nothing may be staged, nothing appended after.</summary>
    public GracefulClose Close()
    {
        _ending = true;
        return new GracefulClose(LastGiven, Feed.Floor, Feed.Snapshot());
    }

    /// <summary>A graceful close failed, or its outcome is unknown: the stream goes on in a new epoch, so that the
    /// close cannot be taken for its end after a crash.</summary>
    public void CloseFailed()
    {
        _ending = false;
        NeedsReopen = true;
    }

    /// <summary>Gives the ring's memory back; readers that come find their events evicted.</summary>
    public void EvictAll() => Feed.Clear();

    /// <summary>When what is pending becomes void: early if ordinary events wait behind it.</summary>
    private long VoidAtMs
    {
        get
        {
            var at = long.MaxValue;
            var pending = false;
            foreach (var run in _staged)
            {
                if (run.Durable && !run.Committed)
                {
                    pending = true;
                    at = Math.Min(at, run.StagedAtMs + _limits.CommitLimitMs);
                }
                else if (!run.Durable && pending)
                {
                    at = Math.Min(at, run.StagedAtMs + _limits.VoidAfterMs);
                }
            }
            return at;
        }
    }
}
