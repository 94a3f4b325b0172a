using OrleansEvents.Api.Options;

namespace OrleansEvents.Api.Sse;

/// <summary>
/// Turns in which connections send what is owed beside their lines: a token bucket whose tokens are time spent, filled
/// by a share of the processors' time (<see cref="SseOptions.OwedShare"/>). However many redeliveries fall due
/// together, everyone else keeps the rest; who is owed little never waits, since the bucket is full when it comes.
/// </summary>
internal sealed class OwedPace : IDisposable
{
    /// <summary>What the bucket holds: as long a turn or row of turns goes on before it is held back.</summary>
    private static readonly TimeSpan Burst = TimeSpan.FromMilliseconds(2);

    /// <summary>The timer's grain; who is woken and does not come holds the next no longer.</summary>
    private static readonly TimeSpan Grain = TimeSpan.FromMilliseconds(1);

    private readonly Lock _lock = new();
    private readonly Queue<SseConnection> _waiting = new();
    private readonly TimeProvider _time;
    private readonly ITimer _timer;
    private readonly double _rate;
    private readonly int _most;
    private double _tokens = Burst.Ticks;
    private long _filledAt;
    private int _inTurn;
    private bool _isArmed;

    public OwedPace(int percent, TimeProvider time)
    {
        (_time, _filledAt) = (time, time.GetTimestamp());
        _rate = percent / 100.0 * Environment.ProcessorCount;
        _most = Math.Max(1, (int)_rate);
        _timer = time.CreateTimer(_ => Ring(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Gives a connection a turn, which it ends by <see cref="Leave"/>; else it is posted to its sweeper when
    /// it may ask again.</summary>
    public bool TryEnter(SseConnection connection)
    {
        lock (_lock)
        {
            var isNext = _waiting.Count == 0 || connection.IsCalledForOwed;
            connection.IsCalledForOwed = false;
            if (isNext && HasRoom_UnderLock())
            {
                _inTurn++;
                return true;
            }
            if (!connection.WaitsForOwed) _waiting.Enqueue(connection);
            connection.WaitsForOwed = true;
            Arm_UnderLock();
            return false;
        }
    }

    /// <summary>Ends a turn that began at a timestamp.</summary>
    public void Leave(long began)
    {
        SseConnection? next;
        lock (_lock)
        {
            _inTurn--;
            _tokens -= _time.GetElapsedTime(began).Ticks;
            next = Next_UnderLock();
        }
        next?.PostOwed();
    }

    public void Dispose() => _timer.Dispose();

    private void Ring()
    {
        SseConnection? next;
        lock (_lock)
        {
            _isArmed = false;
            next = Next_UnderLock();
        }
        next?.PostOwed();
    }

    private SseConnection? Next_UnderLock()
    {
        SseConnection? next = null;
        if (HasRoom_UnderLock() && _waiting.TryDequeue(out next))
        {
            next.WaitsForOwed = false;
            next.IsCalledForOwed = true;
        }
        if (_waiting.Count > 0) Arm_UnderLock();
        return next;
    }

    private bool HasRoom_UnderLock()
    {
        var now = _time.GetTimestamp();
        var passed = _time.GetElapsedTime(_filledAt, now).Ticks;
        (_tokens, _filledAt) = (Math.Min(Burst.Ticks, _tokens + passed * _rate), now);
        return _inTurn < _most && _tokens > 0;
    }

    private void Arm_UnderLock()
    {
        if (_isArmed) return;
        _isArmed = true;
        var dry = TimeSpan.FromTicks((long)(Math.Max(0, -_tokens) / _rate));
        _timer.Change(dry > Grain ? dry : Grain, Timeout.InfiniteTimeSpan);
    }
}
