using System.Runtime.InteropServices;
using System.Text;
using OrleansEvents.Streams;

namespace OrleansEvents.Storage.Sqlite;

/// <summary>The rows of parked events, as the writer changes them.</summary>
internal sealed class ParkedTable(SqliteDatabase database)
{
    private readonly SqliteStatement _insert = database.Prepare(
        $"INSERT INTO parked({ParkedRow.Columns}) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)");

    // The index has all that is asked for: no row is read.
    private readonly SqliteStatement _marks = database.Prepare(
        "SELECT subscriber, seq, parked FROM parked WHERE stream = ?1 ORDER BY subscriber, seq");

    private readonly SqliteStatement _delete = database.Prepare(
        "DELETE FROM parked WHERE stream = ?1 AND subscriber = ?2 AND seq BETWEEN ?3 AND ?4");

    private readonly SqliteStatement _deleteSome = database.Prepare(
        "DELETE FROM parked WHERE id IN (SELECT id FROM parked WHERE stream = ?1 LIMIT ?2)");

    /// <summary>Parks an event, in place of the same one if it is parked.</summary>
    public void Put(in ParkedRow row)
    {
        var slot = row.Slot;
        Delete(row.Stream, row.Subscriber, slot.Seq, slot.Seq);
        _insert.Bind(1, row.Stream).Bind(2, row.Subscriber).Bind(3, slot.Seq).Bind(4, row.ParkedMs).Bind(5, row.Crc)
            .Bind(6, MemoryMarshal.AsBytes([slot])).Bind(7, row.Note).Bind(8, row.Frame).Run();
    }

    public void Delete(long stream, string subscriber, long first, long last) =>
        _delete.Bind(1, stream).Bind(2, subscriber).Bind(3, first).Bind(4, last).Run();

    /// <summary>Deletes so many rows at most; true when there may be more.</summary>
    public bool DeleteSome(long stream, int limit) => _deleteSome.Bind(1, stream).Bind(2, limit).Change() == limit;

    /// <summary>What is parked for each subscriber of a stream that has anything, in seq order.</summary>
    public Dictionary<string, List<ParkedMark>> Marks(long stream)
    {
        var all = new Dictionary<string, List<ParkedMark>>(StringComparer.Ordinal);
        var (name, marks) = (Array.Empty<byte>(), new List<ParkedMark>());
        _marks.Bind(1, stream);
        while (_marks.Step())
        {
            if (!_marks.Blob(0).SequenceEqual(name))
            {
                name = _marks.Blob(0).ToArray();
                all.Add(Encoding.UTF8.GetString(name), marks = []);
            }
            marks.Add(new ParkedMark(_marks.Long(1), _marks.Long(2)));
        }
        return all;
    }
}
