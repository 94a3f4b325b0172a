using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace OrleansEvents.Streams;

/// <summary>
/// One piece of a feed: frames grow from the array's beginning, their slots from its end, as in a slotted page. One
/// writer fills it; readers see what lies below the published count, without a lock. The array goes back to the pool
/// when the ring has dropped the segment and no reader pins it; the object itself is never used again, so that a
/// stale reference finds nothing but a failed pin.
/// </summary>
internal sealed class FeedSegment(FeedMemory memory, int bytes)
{
    private byte[] _bytes = memory.Rent(bytes);
    private FeedSegment? _next;
    private int _count;
    private int _end;
    private int _pins = 1;

    /// <summary>Published events.</summary>
    public int Count => Volatile.Read(ref _count);

    /// <summary>The segment that was begun when this one was full.</summary>
    public FeedSegment? Next
    {
        get => Volatile.Read(ref _next);
        set => Volatile.Write(ref _next, value);
    }

    public int Capacity => _bytes.Length;

    /// <summary>Whether the bytes are gone.</summary>
    public bool IsLetGo => Volatile.Read(ref _pins) == 0;

    public ref readonly EventSlot Slot(int index) => ref SlotAt(index);

    public ReadOnlySpan<byte> Bytes(int from, int to) => _bytes.AsSpan(from, to - from);

    public ReadOnlyMemory<byte> Memory(int from, int to) => _bytes.AsMemory(from, to - from);

    /// <summary>Keeps the bytes from being reused; false when they are gone.</summary>
    public bool TryPin()
    {
        var pins = Volatile.Read(ref _pins);
        while (pins > 0)
        {
            var seen = Interlocked.CompareExchange(ref _pins, pins + 1, pins);
            if (seen == pins) return true;
            pins = seen;
        }
        return false;
    }

    public void Unpin()
    {
        if (Interlocked.Decrement(ref _pins) != 0) return;
        // A stalled reader may hold this object: it must hold neither all that came after nor the array, which the
        // pool may have no use for.
        _next = null;
        var bytes = _bytes;
        _bytes = [];
        memory.Return(bytes);
    }

    /// <summary>Copies as many events as fit, in order; returns how many. The writer's call.</summary>
    public int Fill(EventRun run, int from)
    {
        var slots = run.Slots;
        var to = from;
        var room = _bytes.Length - _end - _count * EventSlot.Size;
        var needed = 0;
        while (to < slots.Length && needed + slots[to].Length + EventSlot.Size <= room)
            needed += slots[to++].Length + EventSlot.Size;
        if (to == from) return 0;
        var start = slots[from].Offset;
        run.Frames.Span[start..slots[to - 1].End].CopyTo(_bytes.AsSpan(_end));
        var count = _count;
        foreach (ref readonly var slot in slots[from..to])
            SlotAt(count++) = slot.At(slot.Offset - start + _end);
        _end += slots[to - 1].End - start;
        Volatile.Write(ref _count, count);
        return to - from;
    }

    /// <summary>The first published event above a number, or the count.</summary>
    public int IndexAfter(long seq)
    {
        int low = 0, high = Count;
        while (low < high)
        {
            var middle = (low + high) >>> 1;
            if (SlotAt(middle).Seq > seq) high = middle;
            else low = middle + 1;
        }
        return low;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private ref EventSlot SlotAt(int index) =>
        ref MemoryMarshal.AsRef<EventSlot>(_bytes.AsSpan(_bytes.Length - (index + 1) * EventSlot.Size, EventSlot.Size));
}
