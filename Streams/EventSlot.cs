using System.Runtime.InteropServices;

namespace OrleansEvents.Streams;

/// <summary>What an event's frame does not say cheaply: where things lie in it. 40 bytes; also stored as
/// such.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 8, Size = Size)]
public readonly struct EventSlot
{
    /// <summary>Bytes of a slot, in memory and in storage (little-endian).</summary>
    public const int Size = 40;

    /// <summary>Bytes of <c>id: CURSOR\n</c>, with which every frame begins.</summary>
    public const int IdLineLength = 4 + Cursor.TextLength + 1;

    /// <summary>Where the event's JSON begins in its frame: after the id line and <c>data: </c>.</summary>
    public const int JsonStart = IdLineLength + 6;

    private const ushort CriticalFlag = 1;
    private const ushort TraceParentFlag = 2;

    /// <summary>The event's number.</summary>
    public readonly long Seq;

    /// <summary>When it was appended, Unix milliseconds: retention goes by it.</summary>
    public readonly long AppendedMs;

    /// <summary>Where its frame begins in the bytes that this slot belongs to.</summary>
    public readonly int Offset;

    /// <summary>Bytes of the whole frame, both line feeds at its end included.</summary>
    public readonly int Length;

    /// <summary>Bytes of the data.</summary>
    public readonly int DataLength;

    /// <summary>Where the data begins in the frame.</summary>
    public readonly ushort DataStart;

    /// <summary>Where the type's text begins in the frame.</summary>
    public readonly ushort TypeStart;

    /// <summary>Bytes of the type's text, without quotes.</summary>
    public readonly ushort TypeLength;

    private readonly ushort _flags;

    /// <summary>A slot of a frame at <paramref name="offset"/>.</summary>
    public EventSlot(long seq, long appendedMs, int offset, int length, (int Start, int Length) type,
        (int Start, int Length) data, bool critical, bool traceParent = false)
    {
        (Seq, AppendedMs, Offset, Length) = (seq, appendedMs, offset, length);
        (TypeStart, TypeLength) = (checked((ushort)type.Start), checked((ushort)type.Length));
        (DataStart, DataLength) = (checked((ushort)data.Start), data.Length);
        _flags = (ushort)((critical ? CriticalFlag : 0) | (traceParent ? TraceParentFlag : 0));
    }

    private EventSlot(in EventSlot from, int offset)
    {
        this = from;
        Offset = offset;
    }

    /// <summary>Whether the event is critical.</summary>
    public bool Critical => (_flags & CriticalFlag) != 0;

    /// <summary>Bytes of the members at the end of the event's JSON that stand behind <c>attempt</c>.</summary>
    public int LastMembersLength => (_flags & TraceParentFlag) != 0 ? TraceParent.MemberLength : 0;

    /// <summary>The first byte behind the frame.</summary>
    public int End => Offset + Length;

    /// <summary>The same slot for the frame's copy elsewhere.</summary>
    public EventSlot At(int offset) => new(this, offset);
}
