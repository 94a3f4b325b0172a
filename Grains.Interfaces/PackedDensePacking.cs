using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using OrleansEvents.Streams;

namespace OrleansEvents.Grains.Interfaces;

/// <summary>Packs blocks of a feed into a dense run.</summary>
internal sealed class DensePacking
{
    /// <summary>Of an event beside its frame: its flags, its numbers, and its slot or what patches take
    /// more.</summary>
    private const int MostBeside = 16 + EventSlot.Size;

    private const int PatchHead = 3;
    private const int MostPatches = 16;
    private const int SameToEnd = 4;

    private byte[] _to = BytePool.Rent(64 << 10);
    private int _at = DenseRun.HeadLength;

    /// <summary>Events so far.</summary>
    public int Count { get; private set; }

    /// <summary>Bytes of their frames.</summary>
    public int Bytes { get; private set; }

    /// <summary>Adds a block's first events.</summary>
    public void Add(in FeedBlock block, int count)
    {
        var frames = block[count - 1].End - block[0].Offset;
        Grow(frames + count * MostBeside);
        // The first of each block is whole: the one before it lies elsewhere, and may be gone.
        Whole(block[0], block.Frame(block[0]));
        for (var i = 1; i < count; i++)
        {
            ref readonly var slot = ref block[i];
            if (!Patched(block[i - 1], block.Frame(block[i - 1]), slot, block.Frame(slot)))
                Whole(slot, block.Frame(slot));
        }
        Count += count;
        Bytes += frames;
    }

    public DenseRun Done()
    {
        BinaryPrimitives.WriteInt32LittleEndian(_to, Count);
        BinaryPrimitives.WriteInt32LittleEndian(_to.AsSpan(4), Bytes);
        return new DenseRun(_to, _at, isRead: false);
    }

    /// <summary>What the slots of events of the same shape have in common: where the parts of a frame begin.</summary>
    private static ulong ShapeOf(in EventSlot slot)
    {
        const int shapeStart = 28;
        return MemoryMarshal.Read<ulong>(MemoryMarshal.AsBytes(new ReadOnlySpan<EventSlot>(in slot))[shapeStart..]);
    }

    private void Whole(in EventSlot slot, ReadOnlySpan<byte> frame)
    {
        var to = _to.AsSpan(_at);
        to[0] = (byte)DenseForm.Whole;
        MemoryMarshal.Write(to[1..], slot);
        frame.CopyTo(to[(1 + EventSlot.Size)..]);
        _at += 1 + EventSlot.Size + frame.Length;
    }

    private bool Patched(in EventSlot before, ReadOnlySpan<byte> last, in EventSlot slot, ReadOnlySpan<byte> frame)
    {
        var later = slot.AppendedMs - before.AppendedMs;
        if (slot.Seq != before.Seq + 1 || ShapeOf(slot) != ShapeOf(before) || later is < 0 or > int.MaxValue
            || slot.Length - slot.DataLength != before.Length - before.DataLength) return false;
        var to = _to.AsSpan(_at);
        var (form, at) = (DenseForm.Patched, 1);
        if (slot.DataLength != before.DataLength)
        {
            form |= DenseForm.OtherLength;
            BinaryPrimitives.WriteInt32LittleEndian(to[at..], slot.DataLength);
            at += sizeof(int);
        }
        if (later > 0)
        {
            form |= DenseForm.Later;
            BinaryPrimitives.WriteInt32LittleEndian(to[at..], (int)later);
            at += sizeof(int);
        }
        to[0] = (byte)form;
        var patched = Patch(last[..slot.DataStart], frame[..slot.DataStart], to[at..]);
        if (patched == 0) return false;
        at += patched;
        frame[slot.DataStart..].CopyTo(to[at..]);
        _at += at + frame.Length - slot.DataStart;
        return true;
    }

    /// <summary>Writes what differs; returns how many bytes that takes, 0 when it is too much.</summary>
    private static int Patch(ReadOnlySpan<byte> last, ReadOnlySpan<byte> next, Span<byte> to)
    {
        var (patches, at, from) = (0, 1, 0);
        while (true)
        {
            var start = from + last[from..].CommonPrefixLength(next[from..]);
            if (start == next.Length) break;
            var end = EndOf(last, next, start);
            var length = end - start;
            // Never longer than the whole: there must be room for the bytes behind it.
            if (++patches > MostPatches || at + PatchHead + length > EventSlot.Size + start) return 0;
            BinaryPrimitives.WriteUInt16LittleEndian(to[at..], (ushort)(start - from));
            to[at + 2] = (byte)length;
            next[start..end].CopyTo(to[(at + PatchHead)..]);
            at += PatchHead + length;
            from = end;
        }
        to[0] = (byte)patches;
        return at;
    }

    /// <summary>Where a patch ends: a few bytes that are the same do not make two of it.</summary>
    private static int EndOf(ReadOnlySpan<byte> last, ReadOnlySpan<byte> next, int start)
    {
        var (end, most) = (start + 1, Math.Min(next.Length, start + byte.MaxValue));
        for (var i = end; i < most && i - end < SameToEnd; i++)
            if (last[i] != next[i]) end = i + 1;
        return end;
    }

    private void Grow(int needed)
    {
        if (_to.Length - _at >= needed) return;
        var larger = BytePool.Rent(Math.Max(_at + needed, _to.Length * 2));
        _to.AsSpan(0, _at).CopyTo(larger);
        BytePool.Return(_to);
        _to = larger;
    }
}

/// <summary>Unpacks a dense run.</summary>
internal static class DenseReading
{
    /// <summary>Adds so many events to a run. Throws what spans throw where the bytes are not packed events.</summary>
    public static void Into(EventRun run, ReadOnlySpan<byte> from, int count)
    {
        for (var i = 0; i < count; i++)
        {
            var form = (DenseForm)from[0];
            from = form == DenseForm.Whole ? Whole(run, from[1..]) : Patched(run, from[1..], form);
        }
        if (!from.IsEmpty) throw DenseRun.Malformed();
    }

    private static ReadOnlySpan<byte> Whole(EventRun run, ReadOnlySpan<byte> from)
    {
        var slot = MemoryMarshal.Read<EventSlot>(from);
        if (slot.DataLength < 0 || slot.DataStart + (long)slot.DataLength > slot.Length) throw DenseRun.Malformed();
        from = from[EventSlot.Size..];
        from[..slot.Length].CopyTo(run.Reserve(slot.Length));
        run.Commit(slot);
        return from[slot.Length..];
    }

    private static ReadOnlySpan<byte> Patched(EventRun run, ReadOnlySpan<byte> from, DenseForm form)
    {
        if (run.Count == 0) throw DenseRun.Malformed();
        var before = run.Slots[^1];
        var (data, time) = (before.DataLength, before.AppendedMs);
        if (form.HasFlag(DenseForm.OtherLength)) from = Number(from, out data);
        if (form.HasFlag(DenseForm.Later))
        {
            from = Number(from, out var later);
            time += later;
        }
        var start = before.DataStart;
        var length = checked(before.Length - before.DataLength + data);
        if (data < 0 || length < start) throw DenseRun.Malformed();
        var frame = run.Reserve(length);
        // After the room was made: that may have moved it.
        run.FrameOf(before)[..start].CopyTo(frame);
        var at = 0;
        int patches = from[0];
        from = from[1..];
        for (; patches > 0; patches--)
        {
            at += BinaryPrimitives.ReadUInt16LittleEndian(from);
            int patch = from[2];
            from.Slice(3, patch).CopyTo(frame[at..start]);
            at += patch;
            from = from[(3 + patch)..];
        }
        from[..(length - start)].CopyTo(frame[start..]);
        run.Commit(new EventSlot(before.Seq + 1, time, 0, length, (before.TypeStart, before.TypeLength), (start, data),
            before.Critical, before.LastMembersLength > 0));
        return from[(length - start)..];
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ReadOnlySpan<byte> Number(ReadOnlySpan<byte> from, out int number)
    {
        number = BinaryPrimitives.ReadInt32LittleEndian(from);
        return from[sizeof(int)..];
    }
}
