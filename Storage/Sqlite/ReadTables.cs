using System.Runtime.InteropServices;
using OrleansEvents.Streams;

namespace OrleansEvents.Storage.Sqlite;

/// <summary>What can be asked of the log, on a connection of its own that never waits for the writer.</summary>
internal sealed class ReadTables(SqliteDatabase database)
{
    // A deleted stream's events are purged little by little, and must not be seen until they are.
    private const string OfStream = "stream = ?1 AND (SELECT deleted IS NULL FROM streams WHERE id = ?1)";

    // Runs do not overlap, so only the last run that begins at or before a number can reach beyond it.
    private const string After = $"""
        {OfStream} AND last > ?2 AND first >= coalesce(
            (SELECT first FROM runs WHERE stream = ?1 AND first <= ?2 ORDER BY first DESC LIMIT 1), 0)
        """;

    private readonly SqliteStatement _after = database.Prepare(
        $"SELECT crc, slots, frames FROM runs WHERE {After} ORDER BY first");

    private readonly SqliteStatement _newest = database.Prepare(
        $"SELECT crc, slots, frames FROM runs WHERE {OfStream} ORDER BY first DESC");

    // A row of events that are alike, without a gap, tells its numbers without being read: the index has them.
    private readonly SqliteStatement _owed = database.Prepare($"""
        SELECT first, last, critical > 0,
            CASE WHEN last - first + 1 = count AND critical IN (0, count) THEN NULL ELSE slots END FROM runs
        WHERE {After} AND (critical > 0 OR ?3) ORDER BY first
        """);

    private readonly SqliteStatement _owedTypes = database.Prepare($"""
        SELECT crc, slots, frames FROM runs WHERE {After} AND (critical > 0 OR ?3) ORDER BY first
        """);

    private readonly SqliteStatement _parked = database.Prepare($"""
        SELECT {ParkedRow.Columns} FROM parked WHERE {OfStream} AND subscriber = ?2 AND seq > ?3 ORDER BY seq
        """);

    private readonly SqliteStatement _toWake = database.Prepare("""
        SELECT name FROM streams
        WHERE deleted IS NULL AND id IN (SELECT stream FROM subscribers WHERE wakes = 1) ORDER BY name
        """);

    private readonly SqliteStatement _list = database.Prepare("""
        SELECT name, completed, created FROM streams
        WHERE name >= ?1 AND name < ?2 AND name > ?3 AND deleted IS NULL ORDER BY name LIMIT ?4
        """);

    private readonly SqliteStatement _isDeleted = database.Prepare(
        "SELECT deleted IS NOT NULL FROM streams WHERE name = ?1");

    public EventRun Read(long id, long after, int maxEvents, int maxBytes)
    {
        var run = new EventRun();
        Walk(_after.Bind(1, id).Bind(2, after), rows =>
        {
            var frames = rows.Blob(2);
            var slots = RunBlobs.Checked(id, rows.Long(0), rows.Blob(1), frames);
            return StoredRuns.TakeAfter(run, frames, slots, after, maxEvents, maxBytes);
        });
        return run;
    }

    public EventRun ReadNewest(long id, int maxEvents, int maxBytes)
    {
        var newestFirst = new List<EventRun>();
        Walk(_newest.Bind(1, id), rows =>
        {
            var frames = rows.Blob(2);
            var slots = RunBlobs.Checked(id, rows.Long(0), rows.Blob(1), frames);
            var from = StoredRuns.NewestFrom(slots, maxEvents, maxBytes);
            var part = new EventRun();
            StoredRuns.Take(part, frames, slots[from..]);
            newestFirst.Add(part);
            maxEvents -= part.Count;
            maxBytes -= part.Frames.Length;
            return from == 0 && maxEvents > 0;
        });
        var run = new EventRun();
        foreach (var part in Enumerable.Reverse(newestFirst))
        {
            run.Append(part);
            part.Dispose();
        }
        return run;
    }

    public OwedMark[] ReadOwed(long id, long after, bool all, bool types)
    {
        var marks = new OwedMarks(after, all, types);
        var rows = types ? _owedTypes : _owed;
        Walk(rows.Bind(1, id).Bind(2, after).Bind(3, all ? 1L : 0L), row =>
        {
            if (types) marks.Add(RunBlobs.Checked(id, row.Long(0), row.Blob(1), row.Blob(2)), row.Blob(2));
            else if (row.IsNull(3)) marks.Add(row.Long(0), row.Long(1), row.Long(2) != 0);
            else marks.Add(MemoryMarshal.Cast<byte, EventSlot>(row.Blob(3)), []);
            return true;
        });
        return marks.Finish();
    }

    public ParkedPage ReadParked(long id, string subscriber, long after, int maxEvents, int maxBytes)
    {
        var parked = new ParkedEvents(maxEvents, maxBytes);
        Walk(_parked.Bind(1, id).Bind(2, subscriber).Bind(3, after), rows =>
        {
            var row = ParkedRow.Checked(rows);
            return parked.Add(row.Slot, row.ParkedMs, row.Note, row.Frame);
        });
        return parked.Page;
    }

    public IReadOnlyList<string> StreamsToWake()
    {
        var streams = new List<string>();
        Walk(_toWake, rows =>
        {
            streams.Add(rows.Text(0));
            return true;
        });
        return streams;
    }

    public IReadOnlyList<StoredStream> List(string prefix, string? after, int limit)
    {
        const string behindAllNames = "\U0010FFFF";
        var streams = new List<StoredStream>();
        _list.Bind(1, prefix).Bind(2, prefix + behindAllNames).Bind(3, after ?? "").Bind(4, limit);
        Walk(_list, rows =>
        {
            streams.Add(new StoredStream(rows.Text(0), rows.Long(1) != 0, rows.Long(2)));
            return true;
        });
        return streams;
    }

    public bool IsDeleted(string stream)
    {
        var deleted = false;
        Walk(_isDeleted.Bind(1, stream), row => deleted = row.Long(0) != 0);
        return deleted;
    }

    private static void Walk(SqliteStatement rows, Func<SqliteStatement, bool> row)
    {
        try
        {
            while (rows.Step() && row(rows))
            {
            }
        }
        finally
        {
            rows.Reset();
        }
    }
}
