using OrleansEvents.Streams;

namespace OrleansEvents.Storage.Memory;

/// <summary>One subscriber of a stream of the log in memory, with what is parked for it.</summary>
internal sealed class MemorySubscriber
{
    private readonly SortedDictionary<long, Parked> _parked = [];
    private byte[] _state = [];

    public bool Wakes { get; private set; }

    /// <summary>The owner that the subscriber has beside its stream's; 0: it never had one.</summary>
    public long Epoch { get; set; }

    public void Save(SubscriberWrite write)
    {
        (_state, Wakes) = (write.State.ToArray(), write.Wakes);
        foreach (var (first, last) in write.Unpark)
            foreach (var seq in _parked.Keys.Where(seq => seq >= first && seq <= last).ToArray()) _parked.Remove(seq);
        for (var i = 0; i < write.Notes.Count; i++)
        {
            var slot = write.Park!.Slots[i];
            _parked[slot.Seq] = new Parked(slot, write.ParkedMs, write.Notes[i].ToArray(),
                write.Park.FrameOf(slot).ToArray());
        }
    }

    public SubscriberRecord ToRecord(string name) =>
        new(name, _state, [.. _parked.Select(parked => new ParkedMark(parked.Key, parked.Value.ParkedMs))]);

    public void Read(ParkedEvents into, long after)
    {
        foreach (var (slot, parkedMs, note, frame) in _parked.Values)
            if (slot.Seq > after && !into.Add(slot, parkedMs, note, frame)) return;
    }

    private sealed record Parked(EventSlot Slot, long ParkedMs, byte[] Note, byte[] Frame);
}
