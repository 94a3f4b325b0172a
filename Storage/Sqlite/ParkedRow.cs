using System.Runtime.InteropServices;
using System.Text;
using OrleansEvents.Streams;
using SQLitePCL;

namespace OrleansEvents.Storage.Sqlite;

/// <summary>An event parked for a subscriber, as a row: a copy that neither retention nor its stream's events
/// touch. Valid as long as what it was made of.</summary>
internal readonly ref struct ParkedRow
{
    public const string Columns = "stream, subscriber, seq, parked, crc, slot, note, frame";

    private readonly long _crc;

    public ParkedRow(long stream, string subscriber, in EventSlot slot, long parkedMs, ReadOnlySpan<byte> note,
        ReadOnlySpan<byte> frame)
    {
        (Stream, Subscriber, ParkedMs) = (stream, subscriber, parkedMs);
        Slot = slot.At(0);
        Note = note;
        Frame = frame;
        _crc = Crc;
    }

    private ParkedRow(SqliteStatement row, in EventSlot slot)
        : this(row.Long(0), row.Text(1), slot, row.Long(3), row.Blob(6), row.Blob(7)) => _crc = row.Long(4);

    public long Stream { get; }

    public string Subscriber { get; }

    public long ParkedMs { get; }

    public EventSlot Slot { get; }

    public ReadOnlySpan<byte> Note { get; }

    public ReadOnlySpan<byte> Frame { get; }

    /// <summary>Of everything in the row.</summary>
    public long Crc
    {
        get
        {
            var (slot, parked) = (Slot, ParkedMs);
            var crc = Sqlite.Crc.Of(Stream, Encoding.UTF8.GetBytes(Subscriber), MemoryMarshal.AsBytes([slot]));
            return Sqlite.Crc.Add(Sqlite.Crc.Add(Sqlite.Crc.Add(crc, MemoryMarshal.AsBytes([parked])), Note), Frame);
        }
    }

    /// <summary>The row of <see cref="Columns"/>, once it and its checksum agree.</summary>
    public static ParkedRow Checked(SqliteStatement row) => TryRead(row, out var parked) ? parked
        : throw new SqliteFailure(raw.SQLITE_CORRUPT, "a parked event does not match its checksum");

    public static bool TryRead(SqliteStatement row, out ParkedRow parked)
    {
        parked = default;
        var slots = MemoryMarshal.Cast<byte, EventSlot>(row.Blob(5));
        if (slots.Length != 1 || row.Blob(5).Length != EventSlot.Size) return false;
        parked = new ParkedRow(row, slots[0]);
        return parked._crc == parked.Crc && slots[0].Seq == row.Long(2) && slots[0].Offset == 0
            && slots[0].Length == parked.Frame.Length;
    }
}
