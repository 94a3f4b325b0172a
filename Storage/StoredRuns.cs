using OrleansEvents.Streams;

namespace OrleansEvents.Storage;

/// <summary>How the runs of one append become rows, and what is taken from a row when it is read.</summary>
internal static class StoredRuns
{
    /// <summary>Small runs of one append share a row up to this many bytes: a row costs more than its events.</summary>
    private const int SharedRowBytes = 64 * 1024;

    /// <summary>Gives each row's events to <paramref name="write"/>; the run is valid during the call only.</summary>
    public static void Write(IReadOnlyList<EventRun> runs, Action<EventRun> write)
    {
        if (runs.Count == 1)
        {
            if (runs[0].Count > 0) write(runs[0]);
            return;
        }
        using var row = new EventRun();
        foreach (var run in runs)
        {
            if (row.Count > 0 && row.Frames.Length + run.Frames.Length > SharedRowBytes) Flush();
            row.Append(run);
        }
        if (row.Count > 0) Flush();

        void Flush()
        {
            write(row);
            row.Truncate(0);
        }
    }

    /// <summary>Whether numbers only rise, from behind <paramref name="last"/> on and through all runs.</summary>
    public static bool Rise(IReadOnlyList<EventRun> runs, long last)
    {
        foreach (var run in runs)
        {
            if (run.Count == 0) continue;
            if (run.First <= last) return false;
            last = run.Last;
        }
        return true;
    }

    public static int CountCritical(ReadOnlySpan<EventSlot> slots)
    {
        var critical = 0;
        foreach (ref readonly var slot in slots)
            if (slot.Critical) critical++;
        return critical;
    }

    /// <summary>Takes a row's events after a number, as far as the bounds allow (but at least one event in all);
    /// false when a bound was met.</summary>
    public static bool TakeAfter(EventRun into, ReadOnlySpan<byte> frames, ReadOnlySpan<EventSlot> slots, long after,
        int maxEvents, int maxBytes)
    {
        var from = IndexAfter(slots, after);
        var to = from;
        long bytes = into.Frames.Length;
        while (to < slots.Length && into.Count + to - from < maxEvents)
        {
            bytes += slots[to].Length;
            if (bytes > maxBytes && into.Count + to - from > 0) break;
            to++;
        }
        Take(into, frames, slots[from..to]);
        return to == slots.Length && into.Count < maxEvents;
    }

    /// <summary>The first of a row's events that belongs to its newest so many events and bytes.</summary>
    public static int NewestFrom(ReadOnlySpan<EventSlot> slots, int maxEvents, long maxBytes)
    {
        var from = slots.Length;
        while (from > 0 && slots.Length - from < maxEvents && maxBytes >= slots[from - 1].Length)
            maxBytes -= slots[--from].Length;
        return from;
    }

    public static void Take(EventRun into, ReadOnlySpan<byte> frames, ReadOnlySpan<EventSlot> slots)
    {
        if (slots.IsEmpty) return;
        into.Append(frames[slots[0].Offset..slots[^1].End], slots);
    }

    public static int IndexAfter(ReadOnlySpan<EventSlot> slots, long after)
    {
        var (low, high) = (0, slots.Length);
        while (low < high)
        {
            var middle = (low + high) / 2;
            if (slots[middle].Seq > after) high = middle;
            else low = middle + 1;
        }
        return low;
    }
}
