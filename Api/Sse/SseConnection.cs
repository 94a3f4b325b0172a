using OrleansEvents.Api.Metrics;
using OrleansEvents.Streams;

namespace OrleansEvents.Api.Sse;

/// <summary>Why a connection is to be looked at.</summary>
[Flags]
internal enum Signals
{
    None = 0,
    Scheduled = 1,
    Advanced = 2,
    Continue = 4,
    Heartbeat = 8,
    Notice = 16,
    Shutdown = 32,
    Closed = 64,
    Silence = 128,
    Ping = 256,
    Stale = 512,
}

/// <summary>
/// One open SSE response: a cursor into each feed that it reads, and nothing queued. Whoever has news signals; the
/// first signal pumps, on its own thread, and those that come meanwhile are taken up by the same pump. So one thread
/// at a time writes, and a connection whose socket takes nothing holds nobody: its pump waits for the flush alone.
/// </summary>
internal sealed partial class SseConnection
{
    private readonly ConnectionTable _table;
    private readonly ReadRequest _request;
    private readonly SseOutput _output;
    private readonly EventShape _shape;
    private readonly Sweeper _sweeper;
    private readonly List<StreamLine> _lines = [];
    private readonly TaskCompletionSource _done = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly ISubscriberSession? _subscriber;
    private RareQueue<byte[]> _notices;
    private StreamLine? _queued;
    // Until it runs nobody pumps: a stream may appear before the lines are there.
    private int _signals = (int)Signals.Scheduled;
    private int _closed;
    private long _nextHeartbeatMs;
    private long _blockedSinceMs;
    private UnsentBytes.Wait? _unsent;
    private long _sentMs;
    private int _dropped;
    private bool _finished;
    private bool _isCut;
    private Ending _ending;

    public SseConnection(ConnectionTable table, ReadRequest request, HttpContext http, SseOutput output,
        ISubscriberSession? subscriber)
    {
        (_table, _request, _subscriber) = (table, request, subscriber);
        _output = output;
        _shape = new EventShape(request.TypesFor(subscriber), request.Names, request.Raw, ids: !request.IsMany);
        _sweeper = table.NextSweeper();
        HeartbeatEvery = request.Heartbeat ?? table.Options.Heartbeat;
        _sentMs = table.Now.Ms;
        // Sooner than the later ones: those that came together are spread.
        _nextHeartbeatMs = _sentMs + ConnectionTable.Spread(HeartbeatEvery);
        _nextPingMs = request.AnswersPings ? _sentMs + ConnectionTable.Spread(table.Options.Ping) : long.MaxValue;
        _origin = Origin.Of(http, table.Now.UnixMs);
        _caughtUpMs = request.Position?.TimeMs ?? (request.From.Kind == ReadFromKind.Head ? table.Now.UnixMs : 0);
    }

    public string Id { get; } = ConnectionTable.NewId();

    public TimeSpan HeartbeatEvery { get; }

    public bool IsClosed => Volatile.Read(ref _closed) != 0;

    /// <summary>When the clock should look next, monotonic.</summary>
    public long NextLookMs
    {
        get
        {
            var soon = _table.Now.Ms + (long)(_table.Options.WriteTimeout.TotalMilliseconds / 4);
            if (_request.IsMany) soon = Math.Min(soon, _table.Now.Ms + PositionEveryMs);
            var silent = Volatile.Read(ref _sentMs) + (long)_table.Options.KeepAlive.TotalMilliseconds;
            return Math.Min(Math.Min(Math.Min(soon, silent), Volatile.Read(ref _nextHeartbeatMs)), NextPingLookMs);
        }
    }

    /// <summary>Serves the connection until it ends.</summary>
    /// <param name="lines">Where it begins.</param>
    /// <param name="patterns">Where further streams come from; its to dispose.</param>
    public async Task Run(IEnumerable<StreamLine> lines, FollowedPatterns? patterns)
    {
        lock (_lines) _lines.AddRange(lines);
        if (Client is { } client) _reconnects = _table.Reconnects(client, Streams);
        _output.Watch(this);
        _table.Add(this);
        _table.Meter.ConnectionsOpened.Add(1);
        foreach (var line in _lines)
        {
            _sweeper.Add(line);
            Await(line);
        }
        Opened(_table.Logger, Id, Streams, Subscriber);
        _ = Pump();
        if (patterns is not null) patterns.Appeared = Appeared;
        await _done.Task;
        _output.Complete();
        lock (_done) Volatile.Write(ref _closed, 1);
        try
        {
            LetGo(patterns);
            _table.Meter.ConnectionsClosed.One("reason", EndingName);
            Ended(_table.Logger, Id, Events, Bytes);
            if (!_table.IsDraining) TellEnding();
        }
        finally
        {
            _table.Remove(this);
        }
    }

    private void LetGo(FollowedPatterns? patterns)
    {
        foreach (var line in _lines)
        {
            _sweeper.Remove(line);
            LetStoredGo(line);
            line.Release();
        }
        patterns?.Dispose();
        while (_appeared.TryDequeue(out var lease)) lease.Dispose();
        LetOwedGo();
        _subscriber?.Dispose();
    }

    /// <summary>The line for a stream of this connection.</summary>
    public StreamLine LineOf(FeedLease lease, ReadFrom from) => new(this, lease, from);

    public void Signal(Signals what)
    {
        var before = (Signals)Interlocked.Or(ref _signals, (int)(what | Signals.Scheduled));
        if ((before & Signals.Scheduled) == 0) _ = Pump();
    }

    /// <summary>A line has moved. Called once until the line is unqueued.</summary>
    public void Queue(StreamLine line)
    {
        var head = Volatile.Read(ref _queued);
        while (true)
        {
            line.NextQueued = head;
            var seen = Interlocked.CompareExchange(ref _queued, line, head);
            if (seen == head) return;
            head = seen;
        }
    }

    /// <summary>Says something beside the line; what a reader does not take in time is not kept for it.</summary>
    public void Tell(byte[] frame)
    {
        if (_notices.Count >= _table.Options.Notices && _notices.TryDequeue(out _))
        {
            Interlocked.Increment(ref _failures);
            _table.Counts.NoticesDropped.Add();
        }
        _notices.Enqueue(frame);
        Signal(Signals.Notice);
    }

    /// <summary>Says what was asked for; false when too much waits already.</summary>
    public bool TryTell(byte[] frame)
    {
        if (_notices.Count >= _table.Options.Notices) return false;
        Tell(frame);
        return true;
    }

    /// <summary>The clock's look: is a heartbeat due, is a write stuck, does nobody answer?</summary>
    public void Look(long nowMs)
    {
        // What the request was made of may serve another by now.
        if (IsClosed || IsDropped) return;
        var blockedSince = Volatile.Read(ref _blockedSinceMs);
        if (blockedSince != 0 && nowMs - blockedSince > _table.Options.WriteTimeout.TotalMilliseconds)
        {
            DropAsSlow("The connection took nothing for the write timeout and was closed.");
            return;
        }
        if (LookAtPing(nowMs, blockedSince != 0)) return;
        if (nowMs >= Volatile.Read(ref _nextHeartbeatMs))
        {
            Volatile.Write(ref _nextHeartbeatMs, nowMs + (long)HeartbeatEvery.TotalMilliseconds);
            Signal(Signals.Heartbeat);
            return;
        }
        var isSilent = nowMs - Volatile.Read(ref _sentMs) >= _table.Options.KeepAlive.TotalMilliseconds;
        if (blockedSince != 0) return;
        if (isSilent) Signal(Signals.Silence);
        else if (_request.IsMany && Volatile.Read(ref _positionMoved)) Signal(Signals.Continue);
    }

    /// <summary>Cuts a connection whose reader takes nothing, so that it cannot be told; whoever watches can.</summary>
    public void DropAsSlow(string why)
    {
        if (Interlocked.Exchange(ref _dropped, 1) != 0) return;
        var blockedMs = Math.Max(0, _table.Now.Ms - (BlockedSinceMs ?? long.MaxValue));
        Dropped(_table.Logger, Id, Streams, blockedMs / 1000.0);
        _table.Counts.SlowClientDrops.Add();
        _table.Meter.Failed(ErrorCode.SlowClient);
        _table.System.ConnectionError(ErrorCode.SlowClient, why, this);
        Abort();
    }

    private bool IsDropped => Volatile.Read(ref _dropped) != 0;

    /// <summary>Cuts the connection.</summary>
    public void Abort()
    {
        // What the request was made of may serve another as soon as this is closed.
        lock (_done)
        {
            if (IsClosed) return;
            _isCut = true;
            _output.Abort();
        }
    }

    private async Task Pump()
    {
        try
        {
            while (true)
            {
                var signals = (Signals)Interlocked.And(ref _signals, (int)Signals.Scheduled);
                if ((signals & Signals.Closed) != 0)
                {
                    _ending = Ending.Left;
                    break;
                }
                var more = await Round(signals);
                if (_finished) break;
                if (more)
                {
                    _isAtRest = false;
                    // The others first. The signal keeps whoever signals meanwhile from being missed.
                    Interlocked.And(ref _signals, ~(int)Signals.Scheduled);
                    _sweeper.Post(this);
                    return;
                }
                _isAtRest = IsAtRest();
                if (Interlocked.CompareExchange(ref _signals, 0,
                    (int)Signals.Scheduled) == (int)Signals.Scheduled) return;
            }
        }
        catch (Exception e)
        {
            _ending = _output.IsGone ? Ending.Left : Ending.Fault;
            if (_ending == Ending.Fault)
            {
                _table.Meter.Failed(ErrorCode.ServerError);
                Failed(_table.Logger, e, Id);
            }
        }
        LeaveOwedTurn();
        // Still marked as scheduled: nobody pumps again.
        _done.TrySetResult();
    }

    private async ValueTask Flush()
    {
        Volatile.Write(ref _sentMs, _table.Now.Ms);
        var unsent = _output.Unflushed;
        var flushing = _output.Flush();
        bool isTaken;
        if (flushing.IsCompletedSuccessfully)
        {
            isTaken = flushing.Result;
        }
        else
        {
            LeaveOwedTurn();
            Volatile.Write(ref _blockedSinceMs, Math.Max(1, _table.Now.Ms));
            _table.Unsent.Begin(_unsent ??= new(this), unsent);
            try
            {
                isTaken = await flushing;
            }
            finally
            {
                _table.Unsent.End(_unsent);
                Volatile.Write(ref _blockedSinceMs, 0);
            }
        }
        if (isTaken) return;
        _table.Meter.WriteErrors.One("of", "connection");
        (_finished, _ending) = (true, Ending.WriteFailed);
    }

    [LoggerMessage(EventIds.ConnectionOpened, LogLevel.Debug,
        "Connection {Connection} reads {Streams} (subscriber {Subscriber})")]
    private static partial void Opened(ILogger logger, string connection, string streams, string? subscriber);

    [LoggerMessage(EventIds.ConnectionEnded, LogLevel.Debug,
        "Connection {Connection} ended after {Events} events, {Bytes} bytes")]
    private static partial void Ended(ILogger logger, string connection, long events, long bytes);

    [LoggerMessage(EventIds.ConnectionDropped, LogLevel.Warning,
        "Connection {Connection} on {Streams} took nothing for {Seconds} s and is closed (SLOW_CLIENT)")]
    private static partial void Dropped(ILogger logger, string connection, string streams, double seconds);

    [LoggerMessage(EventIds.ConnectionFailed, LogLevel.Error, "Connection {Connection} failed")]
    private static partial void Failed(ILogger logger, Exception e, string connection);
}
