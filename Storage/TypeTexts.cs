using System.Diagnostics.CodeAnalysis;
using OrleansEvents.Streams;

namespace OrleansEvents.Storage;

/// <summary>The types of many events, each text once: a stream has few.</summary>
internal sealed class TypeTexts
{
    private readonly HashSet<byte[]>.AlternateLookup<ReadOnlySpan<byte>> _texts =
        new HashSet<byte[]>(new ByContent()).GetAlternateLookup<ReadOnlySpan<byte>>();

    /// <summary>The type of the event whose frame is in <paramref name="frames"/>.</summary>
    public byte[] Of(in EventSlot slot, ReadOnlySpan<byte> frames)
    {
        var text = frames.Slice(slot.Offset + slot.TypeStart, slot.TypeLength);
        if (_texts.TryGetValue(text, out var known)) return known;
        _texts.Add(text);
        return _texts.TryGetValue(text, out known) ? known : text.ToArray();
    }

    private sealed class ByContent : IEqualityComparer<byte[]>,
        IAlternateEqualityComparer<ReadOnlySpan<byte>, byte[]>
    {
        public byte[] Create(ReadOnlySpan<byte> alternate) => alternate.ToArray();

        public bool Equals(byte[]? x, byte[]? y) => x.AsSpan().SequenceEqual(y);

        public bool Equals(ReadOnlySpan<byte> alternate, byte[] other) => alternate.SequenceEqual(other);

        public int GetHashCode([DisallowNull] byte[] obj) => GetHashCode(obj.AsSpan());

        public int GetHashCode(ReadOnlySpan<byte> alternate)
        {
            var hash = new HashCode();
            hash.AddBytes(alternate);
            return hash.ToHashCode();
        }
    }
}
