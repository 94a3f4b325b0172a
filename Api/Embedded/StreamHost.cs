using OrleansEvents.Streams;

namespace OrleansEvents.Api.Embedded;

/// <summary>
/// Holds one stream's state machine in this process: a turn is a lock, and what the machine decides is performed
/// here. Its life: closed, then open (or absent: there is no such stream, only readers that wait for it), then
/// closing, then gone; whoever finds it gone asks the engine for the stream's next host.
/// </summary>
internal sealed partial class StreamHost(string name, EngineContext context, Deadlines deadlines,
    Action<StreamHost> gone, Action<StreamHost> opened, Action<string, string> wantPush) : IDisposable
{
    private readonly Lock _turn = new();
    private readonly SemaphoreSlim _life = new(1, 1);
    private EventStream? _stream;
    private Phase _phase = Phase.Closed;
    private readonly long _ticket = deadlines.NewTicket();
    private int _leases;
    private int _holds;
    private bool _opening;
    private long _lookAt = long.MaxValue;
    private long _lastUsedMs;
    private (long Head, StreamHistory? History) _seen;

    internal enum Phase
    {
        Closed,
        Absent,
        Open,
        Closing,
        Gone,
    }

    public string Name { get; } = name;

    public StreamFeed Feed { get; } = new(name, context.Memory);

    /// <summary>For evicting from the idlest; monotonic.</summary>
    public long LastActivityMs => _stream?.LastActivityMs ?? 0;

    public bool IsOpen => _phase == Phase.Open;

    public bool IsGone => _phase == Phase.Gone;

    public bool IsFollowed => Volatile.Read(ref _leases) > 0;

    public int Readers => Volatile.Read(ref _leases);

    public void Dispose() => _life.Dispose();

    /// <summary>A lease on the feed; null when the host is closing or gone.</summary>
    public FeedLease? Lease()
    {
        lock (_turn)
        {
            if (_phase is Phase.Closing or Phase.Gone) return null;
            _leases++;
            return new FeedLease(Feed, Release);
        }
    }

    /// <summary>Keeps the stream loaded until <see cref="LetGo"/>; false when it is not open.</summary>
    public bool TryHold()
    {
        lock (_turn)
        {
            if (_phase != Phase.Open) return false;
            _holds++;
            return true;
        }
    }

    public void LetGo()
    {
        lock (_turn)
        {
            if (--_holds == 0 && _phase == Phase.Open) Look_UnderLock(IdleAtMs_UnderLock(_stream!));
        }
    }

    /// <summary>One turn of the open stream, and what it decided performed; false when the stream is not
    /// open.</summary>
    public bool Turn(Action<EventStream, Instant> act)
    {
        Effects effects;
        lock (_turn)
        {
            if (_phase != Phase.Open) return false;
            var now = context.Now;
            act(_stream!, now);
            effects = Decide_UnderLock(now);
        }
        Perform(effects);
        return true;
    }

    /// <summary>Looks at the open stream, changing nothing; false when it is not open.</summary>
    public bool Ask(Action<EventStream> look)
    {
        lock (_turn)
        {
            if (_phase != Phase.Open) return false;
            look(_stream!);
            return true;
        }
    }

    /// <summary>Gives the ring's memory back.</summary>
    public void EvictAll() => Turn((stream, _) => stream.EvictAll());

    /// <summary>The deadline that was asked for has come.</summary>
    public void Look(long dueMs)
    {
        lock (_turn)
        {
            if (_lookAt != dueMs) return;
            _lookAt = long.MaxValue;
        }
        var (trim, more) = (0L, false);
        LogHandle handle = default;
        Turn((stream, now) =>
        {
            more = LookAtSubscribers_UnderLock(now);
            stream.AcknowledgedThrough = OwedToNobodyThrough_UnderLock();
            trim = stream.Tick(now);
            handle = stream.Handle;
            if (stream.OverdueThrough > 0) Lapse_UnderLock(stream.OverdueThrough, now);
            ForgetRemoved_UnderLock(now);
        });
        if (more) LookOn();
        if (trim > 0) _ = Trim(handle, trim);
        _ = CloseIfIdle();
    }

    /// <summary>The rest of the subscribers whose time has come. Between turns the thread goes to others: they may be
    /// many, with a thousand events each.</summary>
    private void LookOn() => ThreadPool.UnsafeQueueUserWorkItem(static host =>
    {
        var more = false;
        if (host.Turn((_, now) => more = host.LookAtSubscribers_UnderLock(now)) && more) host.LookOn();
    }, this, preferLocal: false);

    /// <summary>Asks for somebody who pushes to a subscriber.</summary>
    public void AskForPush(string subscriber) => wantPush(Name, subscriber);

    private void Release()
    {
        lock (_turn)
        {
            _leases--;
            _lastUsedMs = context.Now.Ms;
            // While it is being opened it stays: else it would open beside the stream's next host.
            if (_leases > 0 || _opening || _phase is not (Phase.Absent or Phase.Closed))
            {
                if (_phase == Phase.Open && _leases == 0) Look_UnderLock(IdleAtMs_UnderLock(_stream!));
                return;
            }
            Gone_UnderLock();
        }
        gone(this);
    }

    private void Gone_UnderLock()
    {
        _phase = Phase.Gone;
        deadlines.Move(this, _ticket, _lookAt, long.MaxValue);
        _lookAt = long.MaxValue;
    }

    private void Look_UnderLock(long dueMs)
    {
        if (dueMs >= _lookAt) return;
        deadlines.Move(this, _ticket, _lookAt, dueMs);
        _lookAt = dueMs;
    }

    private Effects Decide_UnderLock(Instant now)
    {
        var stream = _stream!;
        Owe_UnderLock(stream, now);
        var followed = Settle_UnderLock(now);
        Look_UnderLock(Math.Min(stream.NextTickMs(now), IdleAtMs_UnderLock(stream)));
        return new Effects(stream.Handle, stream.NextCommit(), _isFenced ? null : stream.BeginReserve(),
            stream.NeedsReopen && !_isFenced && !context.Circuit.IsOpen ? stream.BeginReopen() : null,
            Moved_UnderLock(), followed);
    }

    /// <summary>Whether readers have anything to look at since the last turn.</summary>
    private bool Moved_UnderLock()
    {
        var now = (Feed.Head, Feed.History);
        if (_seen == now) return false;
        _seen = now;
        return true;
    }

    private void Perform(in Effects effects)
    {
        if (effects.Commit is { } commit) _ = RunCommits(effects.Handle, commit);
        if (effects.Reserve is { } through) _ = Reserve(effects.Handle, through);
        if (effects.Reopen is { } reopen) _ = Reopen(effects.Handle, reopen.Confirmed, reopen.Next);
        if (effects.Moved) Feed.Wake();
        effects.Followed.Tell(this);
    }

    /// <summary>What a turn decided.</summary>
    private readonly record struct Effects(LogHandle Handle, CommitWork? Commit, long? Reserve,
        (long Confirmed, long Next)? Reopen, bool Moved, Followed Followed);
}
