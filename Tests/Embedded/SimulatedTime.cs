namespace OrleansEvents.Tests.Embedded;

/// <summary>Time that passes when it is told to. One thread's.</summary>
internal sealed class SimulatedTime : TimeProvider
{
    private readonly List<Timer> _timers = [];
    private long _ms = 1_000_000;

    public override long TimestampFrequency => 1000;

    public override long GetTimestamp() => _ms;

    public override DateTimeOffset GetUtcNow() => DateTimeOffset.UnixEpoch.AddYears(50).AddMilliseconds(_ms);

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new Timer(this, callback, state);
        timer.Change(dueTime, period);
        return timer;
    }

    /// <summary>Lets time pass; what falls due runs in its order, each at its own time.</summary>
    public void Pass(TimeSpan time)
    {
        var until = _ms + (long)time.TotalMilliseconds;
        while (_timers.Where(timer => timer.DueMs <= until).MinBy(timer => timer.DueMs) is { } next)
        {
            _timers.Remove(next);
            _ms = Math.Max(_ms, next.DueMs);
            next.Fire();
        }
        _ms = until;
    }

    /// <summary>Drops all timers: their process is dead.</summary>
    public void Forget() => _timers.Clear();

    private sealed class Timer(SimulatedTime time, TimerCallback callback, object? state) : ITimer
    {
        public long DueMs { get; private set; }

        public void Fire() => callback(state);

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            time._timers.Remove(this);
            if (dueTime == Timeout.InfiniteTimeSpan) return true;
            DueMs = time._ms + (long)Math.Ceiling(dueTime.TotalMilliseconds);
            time._timers.Add(this);
            return true;
        }

        public void Dispose() => time._timers.Remove(this);

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
