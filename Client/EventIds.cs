using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace OrleansEvents.Client;

/// <summary>A set of events' ids: one bit for each where they follow each other, as most do.</summary>
internal sealed class EventIds
{
    private const int BlockBits = 6;

    private readonly Dictionary<(ulong High, ulong Block), ulong> _blocks = [];
    private readonly HashSet<string> _others = [];

    public bool Contains(EventId id)
    {
        if (id.Text is { } text)
            return _others.Contains(text);
        return _blocks.TryGetValue((id.High, id.Low >> BlockBits), out var bits) && (bits & Bit(id.Low)) != 0;
    }

    /// <summary>False when it is there already.</summary>
    public bool Add(EventId id)
    {
        if (id.Text is { } text)
            return _others.Add(text);
        ref var bits = ref CollectionsMarshal.GetValueRefOrAddDefault(
            _blocks, (id.High, id.Low >> BlockBits), out _);
        var before = bits;
        bits |= Bit(id.Low);
        return bits != before;
    }

    public void Remove(EventId id)
    {
        if (id.Text is { } text)
        {
            _others.Remove(text);
            return;
        }
        var block = (id.High, id.Low >> BlockBits);
        ref var bits = ref CollectionsMarshal.GetValueRefOrNullRef(_blocks, block);
        if (Unsafe.IsNullRef(ref bits))
            return;
        bits &= ~Bit(id.Low);
        if (bits == 0)
            _blocks.Remove(block);
    }

    private static ulong Bit(ulong low) => 1UL << (int)(low & ((1 << BlockBits) - 1));
}
