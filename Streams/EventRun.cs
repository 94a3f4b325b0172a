using System.Buffers;

namespace OrleansEvents.Streams;

/// <summary>
/// A run of events next to each other in one stream: their frames as one piece of bytes, and a slot for each. It is
/// what is appended, committed, stored and moved between nodes; nothing encodes an event twice. Not thread-safe.
/// </summary>
public sealed class EventRun : IDisposable
{
    private byte[] _frames;
    private EventSlot[] _slots;
    private int _bytes;
    private int _count;

    /// <summary>An empty run whose buffers are pooled: dispose it when its bytes are no longer needed.</summary>
    public EventRun(int bytes = 1024, int events = 4)
    {
        _frames = BytePool.Rent(bytes);
        _slots = ArrayPool<EventSlot>.Shared.Rent(events);
    }

    /// <summary>Events in the run.</summary>
    public int Count => _count;

    /// <summary>The frames, one behind the other.</summary>
    public ReadOnlyMemory<byte> Frames => _frames.AsMemory(0, _bytes);

    /// <summary>A slot an event; offsets are into <see cref="Frames"/>.</summary>
    public ReadOnlySpan<EventSlot> Slots => _slots.AsSpan(0, _count);

    /// <summary>The first event's number. The run must not be empty.</summary>
    public long First => _slots[0].Seq;

    /// <summary>The last event's number. The run must not be empty.</summary>
    public long Last => _slots[_count - 1].Seq;

    /// <summary>The frame of one event.</summary>
    public ReadOnlySpan<byte> FrameOf(in EventSlot slot) => _frames.AsSpan(slot.Offset, slot.Length);

    /// <summary>Room for one more frame; <see cref="Commit"/> takes it.</summary>
    public Span<byte> Reserve(int bytes)
    {
        if (_frames.Length - _bytes < bytes) GrowFrames(_bytes + bytes);
        return _frames.AsSpan(_bytes, bytes);
    }

    /// <summary>Takes the frame that was written into the reserved room; the slot's offset is set here.</summary>
    public void Commit(in EventSlot slot)
    {
        if (_slots.Length == _count) GrowSlots(_count + 1);
        _slots[_count++] = slot.At(_bytes);
        _bytes += slot.Length;
    }

    /// <summary>Copies a frame from elsewhere to the end.</summary>
    public void Append(in EventSlot slot, ReadOnlySpan<byte> frame)
    {
        frame.CopyTo(Reserve(frame.Length));
        Commit(slot);
    }

    /// <summary>Copies events to the end that lie next to each other; the first slot's offset is where
    /// <paramref name="frames"/> begins.</summary>
    public void Append(ReadOnlySpan<byte> frames, ReadOnlySpan<EventSlot> slots)
    {
        if (slots.IsEmpty) return;
        frames.CopyTo(Reserve(frames.Length));
        if (_slots.Length - _count < slots.Length) GrowSlots(_count + slots.Length);
        var shift = _bytes - slots[0].Offset;
        foreach (ref readonly var slot in slots) _slots[_count++] = slot.At(slot.Offset + shift);
        _bytes += frames.Length;
    }

    /// <summary>The numbers of all events, in order.</summary>
    public long[] Seqs()
    {
        var seqs = new long[_count];
        for (var i = 0; i < seqs.Length; i++) seqs[i] = _slots[i].Seq;
        return seqs;
    }

    /// <summary>Copies all events of another run to the end.</summary>
    public void Append(EventRun other) => Append(other.Frames.Span, other.Slots);

    /// <summary>Takes back what was appended since the run had <paramref name="count"/> events.</summary>
    public void Truncate(int count)
    {
        if (count >= _count) return;
        _bytes = _slots[count].Offset;
        _count = count;
    }

    /// <summary>Takes back the events numbered above <paramref name="through"/>.</summary>
    public void TruncateAfter(long through)
    {
        var count = _count;
        while (count > 0 && _slots[count - 1].Seq > through) count--;
        Truncate(count);
    }

    /// <summary>Returns the buffers to their pool.</summary>
    public void Dispose()
    {
        BytePool.Return(_frames);
        ArrayPool<EventSlot>.Shared.Return(_slots);
        (_frames, _slots, _bytes, _count) = ([], [], 0, 0);
    }

    private void GrowFrames(int needed)
    {
        var larger = BytePool.Rent(Math.Max(needed, _frames.Length * 2));
        Frames.Span.CopyTo(larger);
        BytePool.Return(_frames);
        _frames = larger;
    }

    private void GrowSlots(int needed)
    {
        var larger = ArrayPool<EventSlot>.Shared.Rent(Math.Max(needed, _slots.Length * 2));
        Slots.CopyTo(larger);
        ArrayPool<EventSlot>.Shared.Return(_slots);
        _slots = larger;
    }
}
