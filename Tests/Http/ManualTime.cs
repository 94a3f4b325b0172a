namespace OrleansEvents.Tests.Http;

/// <summary>A server's time, which passes when the test says so. Thread-safe.</summary>
internal sealed class ManualTime : TimeProvider
{
    private readonly Lock _gate = new();
    private readonly List<ManualTimer> _timers = [];
    private long _ms = 1_000_000;

    public override long TimestampFrequency => 1000;

    public override long GetTimestamp() => Volatile.Read(ref _ms);

    public override DateTimeOffset GetUtcNow() => DateTimeOffset.UnixEpoch.AddYears(55).AddMilliseconds(GetTimestamp());

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new ManualTimer(this, callback, state);
        timer.Change(dueTime, period);
        return timer;
    }

    /// <summary>Waits until somebody waits for just this long.</summary>
    public Task Armed(TimeSpan wait) => Eventually.True(() => Task.FromResult(IsArmed(wait)));

    /// <summary>Waits until nobody waits for just this long: who has an answer may not have let its timer go.</summary>
    public Task Unarmed(TimeSpan wait) => Eventually.True(() => Task.FromResult(!IsArmed(wait)));

    /// <summary>Lets just this long pass if somebody waits for it.</summary>
    public void PassIfArmed(TimeSpan wait)
    {
        if (IsArmed(wait)) Pass(wait);
    }

    /// <summary>Waits until somebody waits for just this long, then lets it pass.</summary>
    public async Task PassWhenArmed(TimeSpan wait)
    {
        await Armed(wait);
        Pass(wait);
    }

    /// <summary>Lets time pass; what falls due runs in its order, on this thread.</summary>
    public void Pass(TimeSpan time)
    {
        var until = GetTimestamp() + (long)time.TotalMilliseconds;
        while (NextDue(until) is { } next) next.Fire();
        Volatile.Write(ref _ms, until);
    }

    private bool IsArmed(TimeSpan wait)
    {
        lock (_gate) return _timers.Exists(timer => timer.Wait == wait);
    }

    private ManualTimer? NextDue(long until)
    {
        lock (_gate)
        {
            var next = _timers.Where(timer => timer.DueMs <= until).MinBy(timer => timer.DueMs);
            if (next is null) return null;
            Volatile.Write(ref _ms, Math.Max(_ms, next.DueMs));
            if (next.PeriodMs > 0) next.DueMs += next.PeriodMs;
            else _timers.Remove(next);
            return next;
        }
    }

    private sealed class ManualTimer(ManualTime time, TimerCallback callback, object? state) : ITimer
    {
        public long DueMs { get; set; }

        public long PeriodMs { get; private set; }

        public TimeSpan Wait { get; private set; }

        public void Fire() => callback(state);

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            lock (time._gate)
            {
                time._timers.Remove(this);
                if (dueTime == Timeout.InfiniteTimeSpan) return true;
                (Wait, DueMs) = (dueTime, time._ms + (long)Math.Ceiling(dueTime.TotalMilliseconds));
                PeriodMs = period > TimeSpan.Zero ? (long)period.TotalMilliseconds : 0;
                time._timers.Add(this);
                return true;
            }
        }

        public void Dispose()
        {
            lock (time._gate) time._timers.Remove(this);
        }

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
