using System.Buffers;
using OrleansEvents.Streams;

namespace OrleansEvents.Api.Sse;

/// <summary>What became of a <c>pong</c>.</summary>
internal enum PongResult
{
    /// <summary>It answers the ping that was waited for.</summary>
    Answered,

    /// <summary>That ping has been answered before.</summary>
    Already,

    /// <summary>The connection is being closed because it did not come.</summary>
    Late,

    /// <summary>No such ping.</summary>
    Unknown,
}

/// <summary>
/// Whether anybody is there. A reader that answers pings gets one when the last was answered and the interval is over;
/// time for the answer runs from when the ping's bytes have gone out (before, the write timeout does). One that is not
/// answered in time makes the connection stale: told, closed, and cut if it cannot even be told.
/// </summary>
internal sealed partial class SseConnection
{
    /// <summary>A stale connection is given so long to take what it is told.</summary>
    private const long FarewellMs = 1000;
    private const long SoonMs = 100;

    private readonly Lock _pinging = new();
    private string? _pingId;
    private string? _answeredId;
    private long _nextPingMs;
    private long _pongDueMs = long.MaxValue;
    private long _staleSinceMs;
    private long _pingedUnixMs;
    private long _pongedUnixMs;

    /// <summary>How the connection ended; by our own will unless said otherwise.</summary>
    private enum Ending
    {
        Ours,
        Left,
        WriteFailed,
        Fault,
    }

    private long NextPingLookMs
    {
        get
        {
            if (!_request.AnswersPings) return long.MaxValue;
            lock (_pinging)
            {
                if (_staleSinceMs != 0) return _staleSinceMs + FarewellMs;
                // None: a ping is on its way out, and its time begins then.
                var next = Math.Min(_nextPingMs, _pongDueMs);
                return next < long.MaxValue ? next : _table.Now.Ms + SoonMs;
            }
        }
    }

    /// <summary>The client answers a ping.</summary>
    public PongResult Pong(string id)
    {
        lock (_pinging)
        {
            if (id == _answeredId) return PongResult.Already;
            if (id != _pingId) return PongResult.Unknown;
            if (_staleSinceMs != 0) return PongResult.Late;
            (_pingId, _answeredId, _pongDueMs, _pongedUnixMs) = (null, id, long.MaxValue, _table.Now.UnixMs);
            _nextPingMs = Math.Max(_nextPingMs, _table.Now.Ms);
        }
        _table.Counts.PingsAnswered.Add();
        return PongResult.Answered;
    }

    /// <summary>Is a ping due, or its answer overdue? True: nothing else is to be looked at.</summary>
    private bool LookAtPing(long nowMs, bool isBlocked)
    {
        if (!_request.AnswersPings) return false;
        bool isPingDue, isStale, isOver;
        lock (_pinging)
        {
            isOver = _staleSinceMs != 0;
            isStale = !isOver && nowMs >= _pongDueMs;
            isPingDue = !isOver && _pingId is null && nowMs >= _nextPingMs;
            if (isStale) _staleSinceMs = Math.Max(1, nowMs);
            if (isPingDue) _nextPingMs = long.MaxValue;
        }
        if (isPingDue) Signal(Signals.Ping);
        if (isStale) TellStale();
        if (isOver || (isStale && isBlocked)) Abort();
        else if (isStale) Signal(Signals.Stale);
        return isStale || isOver;
    }

    private void TellStale()
    {
        Stale(_table.Logger, Id, Streams, _table.Options.PongTimeout.TotalSeconds);
        _table.Counts.PingsFailed.Add();
        _table.Counts.StaleConnections.Add();
        _table.System.ConnectionError(ErrorCode.StaleConnection, StaleText, this);
    }

    private string StaleText => $"No pong for {_table.Options.PongTimeout.TotalSeconds} s; the connection is closed.";

    private void WritePing()
    {
        var id = ConnectionTable.NewId();
        lock (_pinging)
        {
            (_pingId, _pingedUnixMs) = (id, _table.Now.UnixMs);
            _nextPingMs = _table.Now.Ms + (long)_table.Options.Ping.TotalMilliseconds;
        }
        _table.Counts.PingsSent.Add();
        _output.Write(IdFrame("ping", id));
    }

    /// <summary>The ping has gone out.</summary>
    private void AwaitPong()
    {
        lock (_pinging)
            // A client may have been faster than we are here.
            if (_pingId is not null)
                _pongDueMs = _table.Now.Ms + (long)_table.Options.PongTimeout.TotalMilliseconds;
    }

    private void WriteStale()
    {
        _output.Write(ProblemFrame.Make(_table.Time, ErrorCode.StaleConnection, StaleText,
            retryMs: ConnectionTable.Jittered(_table.Options.Retry)));
        _finishing = true;
    }

    /// <summary>A frame that says an id.</summary>
    public static byte[] IdFrame(string name, string id)
    {
        var frame = new ArrayBufferWriter<byte>(64);
        ServerFrame.Write(frame, name, id, static (json, told) => json.WriteString("id", told));
        return frame.WrittenSpan.ToArray();
    }

    /// <summary>How it ended, for those who count.</summary>
    private string EndingName => IsDropped ? "slow" : _ending == Ending.Fault ? "failed"
        : _isCut || _finishing ? _table.IsDraining ? "shutdown" : "ended" : "client";

    /// <summary>What ended otherwise than by our will is counted, and told to whoever watches.</summary>
    private void TellEnding()
    {
        if (_isCut || _finishing) return;
        if (_ending == Ending.WriteFailed) _table.Counts.WriteErrors.Add();
        switch (_ending)
        {
            case Ending.Fault:
                _table.Counts.Faults.Add();
                _table.System.ConnectionError(ErrorCode.ServerError, "The connection failed by a fault.", this);
                break;
            case Ending.Left or Ending.WriteFailed:
                _table.Counts.Disconnects.Add();
                Left(_table.Logger, Id, Streams);
                // Whoever watches must not make what is watched: a reader of $system that leaves is only counted.
                if (!_request.Patterns.Any(pattern => pattern.Matches(SystemEvents.Stream)))
                    _table.System.ConnectionError(ErrorCode.ClientDisconnected, "The client is gone.", this);
                break;
        }
    }

    [LoggerMessage(EventIds.ConnectionStale, LogLevel.Warning,
        "Connection {Connection} on {Streams} did not answer a ping for {Seconds} s and is closed (STALE_CONNECTION)")]
    private static partial void Stale(ILogger logger, string connection, string streams, double seconds);

    [LoggerMessage(EventIds.ConnectionLeft, LogLevel.Debug, "Connection {Connection} on {Streams} was left")]
    private static partial void Left(ILogger logger, string connection, string streams);
}
