using OrleansEvents.Streams;

namespace OrleansEvents.Storage;

/// <summary>Collects a page of parked events. Notes count as bytes too: they are read and kept with frames.</summary>
internal sealed class ParkedEvents
{
    private readonly int _maxEvents;
    private readonly int _maxBytes;
    private readonly List<ParkedMark> _marks = [];
    private readonly List<ReadOnlyMemory<byte>> _notes = [];
    private long _bytes;

    public ParkedEvents(int maxEvents, int maxBytes)
    {
        (_maxEvents, _maxBytes) = (maxEvents, maxBytes);
        Page = new ParkedPage(new EventRun(), _marks, _notes);
    }

    public ParkedPage Page { get; }

    /// <summary>What no store can write: refused before it is tried.</summary>
    public static void Require(SubscriberWrite write)
    {
        if ((write.Park?.Count ?? 0) != write.Notes.Count)
            throw new ArgumentException($"{write.Park?.Count ?? 0} events are to be parked with {write.Notes.Count} "
                + "notes.", nameof(write));
    }

    /// <summary>Takes an event if the bounds allow it (but at least one); false when a bound was met.</summary>
    public bool Add(in EventSlot slot, long parkedMs, ReadOnlySpan<byte> note, ReadOnlySpan<byte> frame)
    {
        if (_marks.Count >= _maxEvents) return false;
        _bytes += frame.Length + note.Length;
        if (_bytes > _maxBytes && _marks.Count > 0) return false;
        Page.Events.Append(slot, frame);
        _marks.Add(new ParkedMark(slot.Seq, parkedMs));
        _notes.Add(note.ToArray());
        return _marks.Count < _maxEvents;
    }
}
