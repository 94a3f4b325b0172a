using System.Runtime.InteropServices;
using OrleansEvents.Streams;

namespace OrleansEvents.Grains;

/// <summary>Who is woken when its time has come.</summary>
internal interface IWoken
{
    /// <summary>Where it stands among all; the alarms' own.</summary>
    int Place { get; set; }

    /// <summary>Its time has come. Called on any thread: it must return at once.</summary>
    void Wake();
}

/// <summary>
/// One timer for all streams of a silo: a timer for each would be a third of what an idle one takes. Deadlines lie in a
/// table that is looked through when the first of them has come, at most every <see cref="Finest"/>. Thread-safe.
/// </summary>
internal sealed class Alarms : IDisposable
{
    /// <summary>Nobody is woken more exactly.</summary>
    public static readonly TimeSpan Finest = TimeSpan.FromMilliseconds(50);

    private readonly Lock _lock = new();
    private readonly List<(IWoken Who, long DueMs)> _all = [];
    private readonly TimeProvider _time;
    private readonly ITimer _timer;
    private long _nextMs = long.MaxValue;

    public Alarms(TimeProvider time)
    {
        _time = time;
        // No caller's context: it lives as long as the silo.
        using (ExecutionContext.SuppressFlow())
            _timer = time.CreateTimer(static alarms => ((Alarms)alarms!).Ring(), this, Timeout.InfiniteTimeSpan,
                Timeout.InfiniteTimeSpan);
    }

    public void Add(IWoken who)
    {
        lock (_lock)
        {
            who.Place = _all.Count;
            _all.Add((who, long.MaxValue));
        }
    }

    public void Remove(IWoken who)
    {
        lock (_lock)
        {
            var last = _all[^1];
            last.Who.Place = who.Place;
            _all[who.Place] = last;
            _all.RemoveAt(_all.Count - 1);
        }
    }

    /// <summary>Wakes it once, then or a little later; in the place of what was set before.</summary>
    public void Set(IWoken who, long dueMs)
    {
        lock (_lock)
        {
            CollectionsMarshal.AsSpan(_all)[who.Place].DueMs = dueMs;
            if (dueMs < _nextMs) Next(dueMs);
        }
    }

    public void Dispose() => _timer.Dispose();

    private void Ring()
    {
        var due = new List<IWoken>();
        lock (_lock)
        {
            var (now, next) = (Instant.Of(_time).Ms, long.MaxValue);
            foreach (ref var each in CollectionsMarshal.AsSpan(_all))
            {
                if (each.DueMs <= now)
                {
                    due.Add(each.Who);
                    each.DueMs = long.MaxValue;
                }
                next = Math.Min(next, each.DueMs);
            }
            Next(next);
        }
        foreach (var who in due) who.Wake();
    }

    private void Next(long dueMs)
    {
        _nextMs = dueMs;
        var wait = dueMs == long.MaxValue ? Timeout.Infinite
            : Math.Clamp(dueMs - Instant.Of(_time).Ms, (long)Finest.TotalMilliseconds, int.MaxValue);
        _timer.Change(TimeSpan.FromMilliseconds(wait), Timeout.InfiniteTimeSpan);
    }
}
