using System.Runtime.InteropServices;
using OrleansEvents.Streams;

namespace OrleansEvents.Storage.Sqlite;

/// <summary>The rows of events, as the writer changes them.</summary>
internal sealed class RunTable(SqliteDatabase database)
{
    private readonly SqliteStatement _insert = database.Prepare("""
        INSERT INTO runs(stream, first, last, count, critical, bytes, appended, crc, slots, frames)
        VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
        """);

    private readonly SqliteStatement _extents = database.Prepare(
        "SELECT first, last, count, bytes, appended FROM runs WHERE stream = ?1 ORDER BY first");

    private readonly SqliteStatement _newest = database.Prepare(
        "SELECT id, crc, slots, frames, last FROM runs WHERE stream = ?1 ORDER BY first DESC LIMIT 1");

    private readonly SqliteStatement _deleteBehind = database.Prepare(
        "DELETE FROM runs WHERE stream = ?1 AND first > ?2");

    // The second condition says no more than the first, but it is the one that the index can seek.
    private readonly SqliteStatement _deleteThrough = database.Prepare("""
        DELETE FROM runs WHERE id IN (
            SELECT id FROM runs WHERE stream = ?1 AND last <= ?2 AND first <= ?2 ORDER BY first LIMIT ?3)
        """);

    private readonly SqliteStatement _deleteOne = database.Prepare("DELETE FROM runs WHERE id = ?1");

    public void Insert(long stream, EventRun run)
    {
        var slots = MemoryMarshal.AsBytes(run.Slots);
        var frames = run.Frames.Span;
        _insert.Bind(1, stream).Bind(2, run.First).Bind(3, run.Last).Bind(4, run.Count)
            .Bind(5, StoredRuns.CountCritical(run.Slots)).Bind(6, frames.Length).Bind(7, run.Slots[^1].AppendedMs)
            .Bind(8, Crc.Of(stream, slots, frames)).Bind(9, slots).Bind(10, frames).Run();
    }

    public IReadOnlyList<Extent> Extents(long stream)
    {
        var extents = new ExtentList();
        _extents.Bind(1, stream);
        while (_extents.Step())
        {
            extents.Add(new Extent(_extents.Long(0), _extents.Long(1), (int)_extents.Long(2), _extents.Long(3),
                _extents.Long(4)));
        }
        return extents.Finish();
    }

    /// <summary>Deletes events, not only whole rows.</summary>
    public void DeleteBehind(long stream, long confirmed)
    {
        _deleteBehind.Bind(1, stream).Bind(2, confirmed).Run();
        if (!_newest.Bind(1, stream).Step()) return;
        if (_newest.Long(4) <= confirmed)
        {
            _newest.Reset();
            return;
        }
        var id = _newest.Long(0);
        using var run = RunBlobs.ReadWhole(stream, _newest, crc: 1, slots: 2, frames: 3);
        _newest.Reset();
        run.Truncate(StoredRuns.IndexAfter(run.Slots, confirmed));
        _deleteOne.Bind(1, id).Run();
        if (run.Count > 0) Insert(stream, run);
    }

    /// <summary>Deletes so many whole rows at most; true when there may be more.</summary>
    public bool DeleteThrough(long stream, long through, int limit) =>
        _deleteThrough.Bind(1, stream).Bind(2, through).Bind(3, limit).Change() == limit;
}
