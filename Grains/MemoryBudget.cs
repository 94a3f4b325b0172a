using OrleansEvents.Streams;

namespace OrleansEvents.Grains;

/// <summary>A buffer whose memory can be given back. All members may be called from any thread.</summary>
internal interface IHoldsMemory
{
    /// <summary>When something last came, monotonic.</summary>
    long LastActivityMs { get; }

    /// <summary>Bytes of events in it.</summary>
    long HeldBytes { get; }

    /// <summary>Where it stands among all, from 1 on; 0: nowhere. The budget's own.</summary>
    int BudgetPlace { get; set; }

    /// <summary>Gives them back, now or soon.</summary>
    void EvictAll();
}

/// <summary>Bounds what all buffers of a process hold together: beyond, the idlest give theirs back.</summary>
internal sealed class MemoryBudget(FeedMemory memory, long bytes)
{
    private readonly Lock _lock = new();
    private readonly List<IHoldsMemory> _holders = [];
    private int _evicting;

    /// <summary>Once each.</summary>
    public void Add(IHoldsMemory holder)
    {
        lock (_lock)
        {
            _holders.Add(holder);
            holder.BudgetPlace = _holders.Count;
        }
    }

    /// <summary>Nothing, if it was not added.</summary>
    public void Remove(IHoldsMemory holder)
    {
        lock (_lock)
        {
            if (holder.BudgetPlace == 0) return;
            (_holders[holder.BudgetPlace - 1] = _holders[^1]).BudgetPlace = holder.BudgetPlace;
            _holders.RemoveAt(_holders.Count - 1);
            holder.BudgetPlace = 0;
        }
    }

    /// <summary>Evicts from the idlest until nine tenths of the budget are used. Called whenever something has
    /// come.</summary>
    public void Keep()
    {
        if (memory.Used <= bytes || Interlocked.Exchange(ref _evicting, 1) != 0) return;
        var excess = memory.Used - bytes / 10 * 9;
        foreach (var (holder, held) in All().Select(each => (each, each.HeldBytes))
            .Where(each => each.HeldBytes > 0).OrderBy(each => each.each.LastActivityMs))
        {
            if (excess <= 0) break;
            // Counted by what it holds: it may give it back in a turn of its own.
            holder.EvictAll();
            excess -= held;
        }
        Volatile.Write(ref _evicting, 0);
    }

    private IHoldsMemory[] All()
    {
        lock (_lock) return [.. _holders];
    }
}
