using System.Runtime.InteropServices;
using OrleansEvents.Streams;

namespace OrleansEvents.Grains.Interfaces;

/// <summary>
/// A run of encoded events as it travels between nodes: its frames as one piece of bytes and its slots as another, as
/// they lie in memory. Immutable: the bytes are nobody's buffer, so a call within one silo copies nothing.
/// </summary>
/// <param name="Frames">The frames, one behind the other.</param>
/// <param name="Slots">Their slots (<see cref="EventSlot.Size"/> bytes each, little-endian).</param>
[GenerateSerializer, Immutable, Alias("OrleansEvents.PackedRun")]
public sealed record PackedRun(
    [property: Id(0)] ReadOnlyMemory<byte> Frames,
    [property: Id(1)] ReadOnlyMemory<byte> Slots)
{
    /// <summary>A run without events.</summary>
    public static PackedRun Empty { get; } = new(default, default);

    /// <summary>Events in the run.</summary>
    public int Count => Slots.Length / EventSlot.Size;

    /// <summary>A copy of a run.</summary>
    public static PackedRun Of(EventRun run) =>
        run.Count == 0 ? Empty : new(run.Frames.ToArray(), MemoryMarshal.AsBytes(run.Slots).ToArray());

    /// <summary>A copy of a block of a feed, or of its first events.</summary>
    public static PackedRun Of(in FeedBlock block, int count = int.MaxValue)
    {
        var slots = new byte[Math.Min(block.Count, count) * EventSlot.Size];
        var into = MemoryMarshal.Cast<byte, EventSlot>(slots.AsSpan());
        for (var i = 0; i < into.Length; i++) into[i] = block[i];
        return new(block.Frames[..(into[^1].End - into[0].Offset)].ToArray(), slots);
    }

    /// <summary>The events above a number; the caller disposes the run. Throws <see cref="FormatException"/> when
    /// frames and slots do not belong together.</summary>
    public EventRun Above(long seq)
    {
        var run = new EventRun(Frames.Length + 1, Count + 1);
        var slots = Checked();
        var from = 0;
        while (from < slots.Length && slots[from].Seq <= seq) from++;
        if (from == slots.Length) return run;
        run.Append(Frames.Span[(slots[from].Offset - slots[0].Offset)..], slots[from..]);
        return run;
    }

    private ReadOnlySpan<EventSlot> Checked()
    {
        if (Slots.Length % EventSlot.Size != 0) throw new FormatException("A packed run has half a slot.");
        var slots = MemoryMarshal.Cast<byte, EventSlot>(Slots.Span);
        long end = slots.IsEmpty ? 0 : slots[0].Offset;
        var first = end;
        foreach (ref readonly var slot in slots)
        {
            if (slot.Offset != end || slot.Length < 0) throw new FormatException("A packed run's slots have holes.");
            end += slot.Length;
        }
        if (end - first != Frames.Length) throw new FormatException("A packed run's frames are not whole.");
        return slots;
    }
}
