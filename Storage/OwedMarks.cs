using OrleansEvents.Streams;

namespace OrleansEvents.Storage;

/// <summary>Collects what can be owed of a stream's events after a number, row by row.</summary>
internal sealed class OwedMarks(long after, bool all, bool types)
{
    private readonly List<OwedMark> _marks = [];
    private readonly TypeTexts _types = new();

    /// <summary>Takes a row; <paramref name="frames"/> are looked at for the types only.</summary>
    public void Add(ReadOnlySpan<EventSlot> slots, ReadOnlySpan<byte> frames)
    {
        foreach (ref readonly var slot in slots[StoredRuns.IndexAfter(slots, after)..])
        {
            if (all || slot.Critical)
                _marks.Add(new OwedMark(slot.Seq, slot.Critical, types ? _types.Of(slot, frames) : null));
        }
    }

    /// <summary>Takes a row whose numbers have no gap and whose events are alike.</summary>
    public void Add(long first, long last, bool critical)
    {
        if (!all && !critical) return;
        for (var seq = Math.Max(first, after + 1); seq <= last; seq++) _marks.Add(new OwedMark(seq, critical, null));
    }

    public OwedMark[] Finish() => [.. _marks];
}
