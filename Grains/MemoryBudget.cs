using System.Collections.Concurrent;
using OrleansEvents.Streams;

namespace OrleansEvents.Grains;

/// <summary>A buffer whose memory can be given back. All members may be called from any thread.</summary>
internal interface IHoldsMemory
{
    /// <summary>When something last came, monotonic.</summary>
    long LastActivityMs { get; }

    /// <summary>Bytes of events in it.</summary>
    long HeldBytes { get; }

    /// <summary>Gives them back, now or soon.</summary>
    void EvictAll();
}

/// <summary>Bounds what all buffers of a process hold together: beyond, the idlest give theirs back.</summary>
internal sealed class MemoryBudget(FeedMemory memory, long bytes)
{
    private readonly ConcurrentDictionary<IHoldsMemory, bool> _holders = new();
    private int _evicting;

    public void Add(IHoldsMemory holder) => _holders.TryAdd(holder, true);

    public void Remove(IHoldsMemory holder) => _holders.TryRemove(holder, out _);

    /// <summary>Evicts from the idlest until nine tenths of the budget are used. Called whenever something has
    /// come.</summary>
    public void Keep()
    {
        if (memory.Used <= bytes || Interlocked.Exchange(ref _evicting, 1) != 0) return;
        var excess = memory.Used - bytes / 10 * 9;
        foreach (var (holder, held) in _holders.Keys.Select(each => (each, each.HeldBytes))
            .Where(each => each.HeldBytes > 0).OrderBy(each => each.each.LastActivityMs))
        {
            if (excess <= 0) break;
            // Counted by what it holds: it may give it back in a turn of its own.
            holder.EvictAll();
            excess -= held;
        }
        Volatile.Write(ref _evicting, 0);
    }
}
