using System.Diagnostics.CodeAnalysis;

namespace OrleansEvents.Storage.Sqlite;

/// <summary>Many add, threads of their own take: everything that waits, or one.</summary>
internal sealed class WorkQueue<T> where T : class
{
    private readonly object _lock = new();
    private readonly Queue<T> _waiting = new();
    private bool _ended;

    /// <summary>False once the queue has been ended.</summary>
    public bool TryAdd(T work)
    {
        lock (_lock)
        {
            if (_ended) return false;
            _waiting.Enqueue(work);
            if (_waiting.Count == 1) Monitor.Pulse(_lock);
            return true;
        }
    }

    /// <summary>Waits for work and takes all of it, up to a limit; false when ended and empty.</summary>
    public bool TakeAll(List<T> into, int limit)
    {
        lock (_lock)
        {
            if (!Wait_UnderLock()) return false;
            while (into.Count < limit && _waiting.TryDequeue(out var work)) into.Add(work);
            return true;
        }
    }

    /// <summary>Waits for one piece of work; false when the queue was ended and is empty.</summary>
    public bool Take([NotNullWhen(true)] out T? work)
    {
        lock (_lock)
        {
            work = null;
            if (!Wait_UnderLock()) return false;
            work = _waiting.Dequeue();
            if (_waiting.Count > 0) Monitor.Pulse(_lock);
            return true;
        }
    }

    /// <summary>Takes no more; what waits is still given out.</summary>
    public void End()
    {
        lock (_lock)
        {
            _ended = true;
            Monitor.PulseAll(_lock);
        }
    }

    private bool Wait_UnderLock()
    {
        while (_waiting.Count == 0)
        {
            if (_ended) return false;
            Monitor.Wait(_lock);
        }
        return true;
    }
}
