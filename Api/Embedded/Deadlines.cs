using OrleansEvents.Streams;

namespace OrleansEvents.Api.Embedded;

/// <summary>One timer for all streams: each says when it wants to be looked at next.</summary>
internal sealed class Deadlines : IDisposable
{
    private const long FinestMs = 50;
    private readonly Lock _lock = new();
    private readonly SortedSet<Due> _due = new(Comparer<Due>.Create(static (a, b) => a.CompareTo(b)));
    private readonly TimeProvider _time;
    private readonly ITimer _timer;
    private long _armedFor = long.MaxValue;
    private long _lastTicket;
    private bool _disposed;

    public Deadlines(TimeProvider time)
    {
        _time = time;
        _timer = time.CreateTimer(_ => Run(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>What tells one host from another when they are due together.</summary>
    public long NewTicket() => Interlocked.Increment(ref _lastTicket);

    /// <summary>Hosts that wait for a look.</summary>
    public int Count
    {
        get
        {
            lock (_lock) return _due.Count;
        }
    }

    /// <summary>Asks for one look at a monotonic time, or later by the timer's grain, in place of the one that was
    /// asked for; the end of time is none.</summary>
    public void Move(StreamHost host, long ticket, long fromMs, long toMs)
    {
        lock (_lock)
        {
            if (fromMs < long.MaxValue) _due.Remove(new Due(fromMs, ticket, host));
            if (toMs == long.MaxValue) return;
            _due.Add(new Due(toMs, ticket, host));
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
        var ready = new List<Due>();
        lock (_lock)
        {
            _armedFor = long.MaxValue;
            while (_due.Count > 0 && _due.Min is var first && first.Ms <= now.Ms)
            {
                _due.Remove(first);
                ready.Add(first);
            }
            Arm_UnderLock();
        }
        foreach (var due in ready) due.Host.Look(due.Ms);
    }

    private void Arm_UnderLock()
    {
        if (_disposed || _due.Count == 0 || _due.Min.Ms >= _armedFor) return;
        _armedFor = _due.Min.Ms;
        var wait = Math.Clamp(_armedFor - Instant.Of(_time).Ms, FinestMs, int.MaxValue);
        _timer.Change(TimeSpan.FromMilliseconds(wait), Timeout.InfiniteTimeSpan);
    }

    private readonly record struct Due(long Ms, long Ticket, StreamHost Host)
    {
        public int CompareTo(in Due other) => Ms != other.Ms ? Ms.CompareTo(other.Ms) : Ticket.CompareTo(other.Ticket);
    }
}
