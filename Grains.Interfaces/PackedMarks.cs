using System.Buffers;
using System.Buffers.Binary;
using OrleansEvents.Streams;

namespace OrleansEvents.Grains.Interfaces;

/// <summary>What is told of events that may be owed, all in one piece of bytes: each is 19 bytes of numbers and flags
/// (little-endian), then its type.</summary>
/// <param name="Bytes">The marks.</param>
[GenerateSerializer, Immutable, Alias("OrleansEvents.PackedMarks")]
public sealed record PackedMarks([property: Id(0)] ReadOnlyMemory<byte> Bytes)
{
    private const int HeadLength = 19;

    [Flags]
    private enum Said : byte
    {
        Critical = 1,
        Durable = 2,
        Type = 4,
    }

    /// <summary>No marks.</summary>
    public static PackedMarks Empty { get; } = new(ReadOnlyMemory<byte>.Empty);

    /// <summary>Packs marks.</summary>
    public static PackedMarks Of(ReadOnlySpan<ShownEvent> marks)
    {
        if (marks.IsEmpty) return Empty;
        var buffer = new ArrayBufferWriter<byte>(marks.Length * (HeadLength + 16));
        foreach (ref readonly var mark in marks)
        {
            var type = mark.Type ?? [];
            var to = buffer.GetSpan(HeadLength + type.Length);
            BinaryPrimitives.WriteInt64LittleEndian(to, mark.Seq);
            BinaryPrimitives.WriteInt64LittleEndian(to[8..], mark.AppendedMs);
            to[16] = (byte)((mark.Critical ? Said.Critical : 0) | (mark.Durable ? Said.Durable : 0)
                | (mark.Type is null ? 0 : Said.Type));
            BinaryPrimitives.WriteUInt16LittleEndian(to[17..], (ushort)type.Length);
            type.CopyTo(to[HeadLength..]);
            buffer.Advance(HeadLength + type.Length);
        }
        return new(buffer.WrittenMemory);
    }

    /// <summary>The marks. Throws <see cref="FormatException"/> for what was not packed by <see cref="Of"/>.</summary>
    public List<ShownEvent> Unpack()
    {
        var marks = new List<ShownEvent>();
        for (var rest = Bytes.Span; rest.Length > 0;)
        {
            if (rest.Length < HeadLength) throw new FormatException("These are not packed marks.");
            var said = (Said)rest[16];
            int length = BinaryPrimitives.ReadUInt16LittleEndian(rest[17..]);
            if (rest.Length < HeadLength + length) throw new FormatException("These are not packed marks.");
            marks.Add(new ShownEvent(BinaryPrimitives.ReadInt64LittleEndian(rest),
                BinaryPrimitives.ReadInt64LittleEndian(rest[8..]), said.HasFlag(Said.Critical),
                said.HasFlag(Said.Durable),
                said.HasFlag(Said.Type) ? rest.Slice(HeadLength, length).ToArray() : null));
            rest = rest[(HeadLength + length)..];
        }
        return marks;
    }
}
