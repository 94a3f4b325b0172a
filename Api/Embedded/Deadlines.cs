using OrleansEvents.Streams;

namespace OrleansEvents.Api.Embedded;

/// <summary>One timer for all streams: each says when it wants to be looked at next.</summary>
internal sealed class Deadlines : IDisposable
{
    private const long FinestMs = 50;
    private readonly Lock _lock = new();
    private readonly PriorityQueue<StreamHost, long> _due = new();
    private readonly TimeProvider _time;
    private readonly ITimer _timer;
    private long _armedFor = long.MaxValue;
    private bool _disposed;

    public Deadlines(TimeProvider time)
    {
        _time = time;
        _timer = time.CreateTimer(_ => Run(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Asks for one look at a monotonic time, or later by the timer's grain.</summary>
    public void At(StreamHost host, long dueMs)
    {
        lock (_lock)
        {
            _due.Enqueue(host, dueMs);
            Arm_UnderLock();
        }
    }

    public void Dispose()
    {
        lock (_lock) _disposed = true;
        _timer.Dispose();
    }

    private void Run()
    {
        var now = Instant.Of(_time);
        var ready = new List<(StreamHost Host, long DueMs)>();
        lock (_lock)
        {
            _armedFor = long.MaxValue;
            while (_due.TryPeek(out var host, out var due) && due <= now.Ms)
            {
                _due.Dequeue();
                ready.Add((host, due));
            }
            Arm_UnderLock();
        }
        foreach (var (host, due) in ready) host.Look(due);
    }

    private void Arm_UnderLock()
    {
        if (_disposed || !_due.TryPeek(out _, out var due) || due >= _armedFor) return;
        _armedFor = due;
        var wait = Math.Clamp(due - Instant.Of(_time).Ms, FinestMs, int.MaxValue);
        _timer.Change(TimeSpan.FromMilliseconds(wait), Timeout.InfiniteTimeSpan);
    }
}
