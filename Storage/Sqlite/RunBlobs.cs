using System.Runtime.InteropServices;
using OrleansEvents.Streams;
using SQLitePCL;

namespace OrleansEvents.Storage.Sqlite;

/// <summary>A run of events as two blobs and their checksum. Slots lie in the file as they lie in memory.</summary>
internal static class RunBlobs
{
    /// <summary>The slots of a row's column, once row and checksum agree.</summary>
    public static ReadOnlySpan<EventSlot> Checked(long stream, long crc, ReadOnlySpan<byte> slots,
        ReadOnlySpan<byte> frames)
    {
        if (!AreWhole(stream, crc, slots, frames))
            throw new SqliteFailure(raw.SQLITE_CORRUPT, "a row of events does not match its checksum");
        return MemoryMarshal.Cast<byte, EventSlot>(slots);
    }

    public static bool AreWhole(long stream, long crc, ReadOnlySpan<byte> slots, ReadOnlySpan<byte> frames)
    {
        if (slots.Length % EventSlot.Size != 0 || crc != Crc.Of(stream, slots, frames)) return false;
        var (last, end) = (long.MinValue, 0);
        foreach (ref readonly var slot in MemoryMarshal.Cast<byte, EventSlot>(slots))
        {
            if (slot.Seq <= last || slot.Offset != end || slot.Length < 0 || slot.Length > frames.Length - end)
                return false;
            (last, end) = (slot.Seq, slot.End);
        }
        return end == frames.Length;
    }

    public static EventRun ReadWhole(long stream, SqliteStatement row, int crc, int slots, int frames)
    {
        var bytes = row.Blob(frames);
        var read = Checked(stream, row.Long(crc), row.Blob(slots), bytes);
        var run = new EventRun(bytes.Length + 1, read.Length + 1);
        run.Append(bytes, read);
        return run;
    }
}
