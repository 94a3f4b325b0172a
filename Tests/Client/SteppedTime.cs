namespace OrleansEvents.Tests.Client;

/// <summary>A clock on which timers fire when the test says so.</summary>
internal sealed class SteppedTime : TimeProvider
{
    private readonly Lock _gate = new();
    private readonly List<SteppedTimer> _timers = [];

    public void FireAll(int times)
    {
        for (var i = 0; i < times; i++)
        {
            SteppedTimer[] timers;
            lock (_gate)
                timers = [.. _timers];
            foreach (var timer in timers)
                timer.Fire();
        }
    }

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new SteppedTimer(this, callback, state);
        lock (_gate)
            _timers.Add(timer);
        return timer;
    }

    private void Remove(SteppedTimer timer)
    {
        lock (_gate)
            _timers.Remove(timer);
    }

    private sealed class SteppedTimer(SteppedTime time, TimerCallback callback, object? state) : ITimer
    {
        public void Fire() => callback(state);

        public bool Change(TimeSpan dueTime, TimeSpan period) => true;

        public void Dispose() => time.Remove(this);

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
