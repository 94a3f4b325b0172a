using System.Globalization;
using OrleansEvents.Streams;

namespace OrleansEvents.Storage.Sqlite;

/// <summary>Copies row by row from a damaged file into a new one, in one transaction. Every blob is checked. If
/// anything was lost, no stream's history may claim to be whole any more: readers are told of a gap.</summary>
internal sealed class RepairCopy(SqliteDatabase source, SqliteDatabase target)
{
    private readonly RunTable _runs = new(target);
    private readonly KeyTable _keys = new(target);
    private readonly SavedTables _saved = new(target);
    private readonly ParkedTable _parked = new(target);

    private readonly SqliteStatement _insertStream = target.Prepare("""
        INSERT OR IGNORE INTO streams(id, epoch, deleted, close_end, close_floor, reserved, trimmed, durable_since,
            completed, created, name, epochs, settings)
        VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
        """);

    private readonly SqliteStatement _insertPurge = target.Prepare("INSERT OR IGNORE INTO purges VALUES(?1)");

    public RepairSummary Run(string aside)
    {
        target.Execute("BEGIN IMMEDIATE");
        var lost = new RowWalk(source, "streams", "id, epoch, deleted, close_end, close_floor, reserved, trimmed, "
            + "durable_since, completed, created, name, epochs, settings").Run(TakeStream);
        lost += new RowWalk(source, "runs", "stream, crc, slots, frames").Run(TakeRun);
        lost += new RowWalk(source, "keys", "stream, keys").Run(TakeKeys);
        lost += new RowWalk(source, "rings", "stream, crc, slots, frames").Run(TakeRing);
        // A file that was never started with schema 2.
        var parks = source.Number("SELECT count(*) FROM sqlite_master WHERE name = 'parked'") > 0;
        lost += new RowWalk(source, "subscribers", $"stream, name, crc, state, {(parks ? "wakes" : "0")}")
            .Run(TakeSubscriber);
        if (parks) lost += new RowWalk(source, "parked", ParkedRow.Columns).Run(TakeParked);
        new RowWalk(source, "purges", "stream").Run(TakePurge);
        RecoverNames();
        lost += RemoveWhatFitsNowhere();
        if (lost > 0) GiveUpContinuity();
        var streams = target.Number("SELECT count(*) FROM streams WHERE deleted IS NULL");
        var events = target.Number("SELECT sum(count) FROM runs");
        target.Execute("COMMIT");
        return new RepairSummary(aside, streams, events, lost);
    }

    private bool TakeStream(SqliteStatement row)
    {
        var (epoch, reserved, name) = (unchecked((ulong)row.Long(1)), row.Long(5), row.Text(10));
        if (!EpochBlob.IsWhole(row.Blob(11), epoch) || reserved is < 0 or >= Cursor.SeqLimit || name.Length == 0)
            return false;
        _insertStream.Bind(1, row.Long(0)).Bind(2, epoch).Bind(3, row.LongOrNull(2)).Bind(4, row.LongOrNull(3))
            .Bind(5, row.LongOrNull(4)).Bind(6, reserved).Bind(7, row.Long(6)).Bind(8, row.LongOrNull(7))
            .Bind(9, row.Long(8)).Bind(10, row.Long(9)).Bind(11, name).Bind(12, row.Blob(11))
            .Bind(13, row.TextOrNull(12)).Run();
        return true;
    }

    private bool TakeRun(SqliteStatement row)
    {
        var stream = row.Long(0);
        if (!RunBlobs.AreWhole(stream, row.Long(1), row.Blob(2), row.Blob(3))) return false;
        using var run = RunBlobs.ReadWhole(stream, row, crc: 1, slots: 2, frames: 3);
        if (run.Count == 0) return false;
        _runs.Insert(stream, run);
        return true;
    }

    private bool TakeKeys(SqliteStatement row)
    {
        if (!KeyBlob.IsWhole(row.Long(0), row.Blob(1))) return false;
        _keys.Insert(row.Long(0), KeyBlob.Read(row.Long(0), row.Blob(1)));
        return true;
    }

    private bool TakeRing(SqliteStatement row)
    {
        if (!RunBlobs.AreWhole(row.Long(0), row.Long(1), row.Blob(2), row.Blob(3))) return false;
        using var run = RunBlobs.ReadWhole(row.Long(0), row, crc: 1, slots: 2, frames: 3);
        _saved.SaveRing(row.Long(0), run);
        return true;
    }

    private bool TakePurge(SqliteStatement row)
    {
        _insertPurge.Bind(1, row.Long(0)).Run();
        return true;
    }

    private bool TakeSubscriber(SqliteStatement row)
    {
        var (stream, name) = (row.Long(0), row.Text(1));
        var state = row.Blob(3);
        if (row.Long(2) != SavedTables.CrcOf(stream, name, state)) return false;
        _saved.SaveSubscriber(stream, name, state, row.Long(4) != 0);
        return true;
    }

    private bool TakeParked(SqliteStatement row)
    {
        if (!ParkedRow.TryRead(row, out var parked)) return false;
        _parked.Put(parked);
        return true;
    }

    /// <summary>A stream whose row was lost but whose name the index still has gets a history of its own, behind any
    /// number that can have been given, and keeps its events.</summary>
    private void RecoverNames()
    {
        const long behind = 2 * IEventLog.NumberBlock;
        var epochs = EpochBlob.Write(EpochHistory.Begin(epoch: 0, first: 1));
        foreach (var (id, name) in NamesInIndex())
        {
            var number = id.ToString(CultureInfo.InvariantCulture);
            if (target.Number($"SELECT count(*) FROM streams WHERE id = {number}") > 0) continue;
            var last = target.Number($"SELECT max(last) FROM runs WHERE stream = {number}");
            if (last == 0) continue;
            var created = target.Number($"SELECT min(appended) FROM runs WHERE stream = {number}");
            _insertStream.Bind(1, id).Bind(2, 0L).Bind(3, (long?)null).Bind(4, (long?)null).Bind(5, (long?)null)
                .Bind(6, last + behind).Bind(7, 0L).Bind(8, (long?)null).Bind(9, 0L).Bind(10, created).Bind(11, name)
                .Bind(12, epochs).Bind(13, (string?)null).Run();
        }
    }

    private List<(long Id, string Name)> NamesInIndex()
    {
        var names = new List<(long, string)>();
        foreach (var order in new[] { "ASC", "DESC" })
        {
            var index = source.Prepare(
                $"SELECT id, name FROM streams INDEXED BY sqlite_autoindex_streams_1 ORDER BY name {order}");
            try
            {
                while (index.Step()) names.Add((index.Long(0), index.Text(1)));
                return names;
            }
            catch (SqliteFailure failure) when (failure.IsDamage)
            {
                // From the other side as far as the damage.
            }
        }
        return names;
    }

    /// <summary>Rows of no stream, and runs that overlap: both come from pages that were free already. What is
    /// parked for a subscriber whose row was lost goes too: nobody could ever list it.</summary>
    private long RemoveWhatFitsNowhere()
    {
        target.Execute("""
            DELETE FROM runs WHERE stream IN (SELECT stream FROM purges);
            DELETE FROM keys WHERE stream IN (SELECT stream FROM purges);
            DELETE FROM parked WHERE stream IN (SELECT stream FROM purges);
            DELETE FROM purges;
            """);
        var removed = 0L;
        foreach (var table in new[] { "runs", "keys", "rings", "subscribers" })
            removed += target.Change($"DELETE FROM {table} WHERE stream NOT IN (SELECT id FROM streams)");
        removed += target.Change("""
            DELETE FROM parked WHERE NOT EXISTS (
                SELECT 1 FROM subscribers WHERE stream = parked.stream AND name = subscriber)
            """);
        return removed + target.Change("""
            DELETE FROM runs WHERE id IN (SELECT id FROM (
                SELECT id, first, lag(last) OVER (PARTITION BY stream ORDER BY first, id) AS before FROM runs)
                WHERE first <= before)
            """);
    }

    private void GiveUpContinuity()
    {
        target.Execute("""
            DELETE FROM rings;
            UPDATE streams SET close_end = NULL, close_floor = NULL,
                durable_since = CASE WHEN durable_since IS NULL THEN NULL ELSE reserved END;
            """);
    }
}
