using System.Runtime.InteropServices;
using Npgsql;
using OrleansEvents.Streams;

namespace OrleansEvents.Storage.Postgres;

/// <summary>What can be asked of the log. Rows are fetched in portions that grow, because how many are needed is known
/// only when their events are seen.</summary>
internal sealed class PostgresReads(NpgsqlDataSource source)
{
    private const int FirstRows = 16;
    private const int MostRows = 256;

    // A deleted stream's events are purged little by little, and must not be seen until they are.
    private const string OfStream =
        "stream = $1 AND EXISTS (SELECT 1 FROM streams WHERE id = $1 AND deleted IS NULL)";

    // Runs do not overlap, so only the last run that begins at or before a number can reach beyond it.
    private const string After = $"""
        {OfStream} AND last > $2 AND first >= coalesce(
            (SELECT first FROM runs WHERE stream = $1 AND first <= $2 ORDER BY first DESC LIMIT 1), 0)
        """;

    public async Task<EventRun> Read(long id, long after, int maxEvents, int maxBytes)
    {
        var run = new EventRun();
        var from = after;
        await Portions(
            rows => source.CreateCommand($"SELECT slots, frames FROM runs WHERE {After} ORDER BY first LIMIT $3")
                .With(id).With(from).With(rows),
            row =>
            {
                var slots = RunColumns.Slots(row.GetFieldValue<byte[]>(0));
                from = slots[^1].Seq;
                return StoredRuns.TakeAfter(run, row.GetFieldValue<byte[]>(1), slots, after, maxEvents, maxBytes);
            });
        return run;
    }

    public async Task<EventRun> ReadNewest(long id, int maxEvents, int maxBytes)
    {
        var newestFirst = new List<EventRun>();
        var before = long.MaxValue;
        await Portions(
            rows => source.CreateCommand($"""
                SELECT slots, frames FROM runs WHERE {OfStream} AND first < $2 ORDER BY first DESC LIMIT $3
                """).With(id).With(before).With(rows),
            row =>
            {
                var slots = RunColumns.Slots(row.GetFieldValue<byte[]>(0));
                before = slots[0].Seq;
                var from = StoredRuns.NewestFrom(slots, maxEvents, maxBytes);
                var part = new EventRun();
                StoredRuns.Take(part, row.GetFieldValue<byte[]>(1), slots[from..]);
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

    public async Task<OwedMark[]> ReadOwed(long id, long after, bool all, bool types)
    {
        var marks = new OwedMarks(after, all, types);
        // A row of events that are alike, without a gap, tells its numbers without its slots.
        await using var command = source.CreateCommand($"""
            SELECT first, last, critical > 0,
                CASE WHEN NOT $4 AND last - first + 1 = count AND critical IN (0, count) THEN NULL ELSE slots END,
                CASE WHEN $4 THEN frames END
            FROM runs WHERE {After} AND (critical > 0 OR $3) ORDER BY first
            """).With(id).With(after).With(all).With(types);
        await using var row = await command.ExecuteReaderAsync();
        while (await row.ReadAsync())
        {
            if (row.IsDBNull(3)) marks.Add(row.GetInt64(0), row.GetInt64(1), row.GetBoolean(2));
            else marks.Add(RunColumns.Slots(row.GetFieldValue<byte[]>(3)), types ? row.GetFieldValue<byte[]>(4) : []);
        }
        return marks.Finish();
    }

    public async Task<ParkedPage> ReadParked(long id, string subscriber, long after, int maxEvents, int maxBytes)
    {
        var parked = new ParkedEvents(maxEvents, maxBytes);
        await Portions(
            rows => source.CreateCommand($"""
                SELECT seq, parked, slot, note, frame FROM parked
                WHERE {OfStream} AND subscriber = $2 AND seq > $3 ORDER BY seq LIMIT $4
                """).With(id).With(subscriber).With(after).With(rows),
            row =>
            {
                after = row.GetInt64(0);
                var slot = MemoryMarshal.Read<EventSlot>(row.GetFieldValue<byte[]>(2));
                return parked.Add(slot, row.GetInt64(1), row.GetFieldValue<byte[]>(3), row.GetFieldValue<byte[]>(4));
            });
        return parked.Page;
    }

    public Task<IReadOnlyList<string>> StreamsToWake() => All(source.CreateCommand("""
        SELECT name FROM streams WHERE deleted IS NULL AND id IN (SELECT stream FROM subscribers WHERE wakes)
        ORDER BY name
        """), row => row.GetString(0));

    public Task<IReadOnlyList<StoredStream>> List(string prefix, string? after, int limit)
    {
        const string behindAllNames = "\U0010FFFF";
        return All(source.CreateCommand("""
            SELECT name, completed, created FROM streams
            WHERE name >= $1 AND name < $2 AND name > $3 AND deleted IS NULL ORDER BY name LIMIT $4
            """).With(prefix).With(prefix + behindAllNames).With(after ?? "").With(limit),
            row => new StoredStream(row.GetString(0), row.GetBoolean(1), row.GetInt64(2)));
    }

    public Task<bool> IsDeleted(string stream) =>
        source.CreateCommand("SELECT 1 FROM streams WHERE name = $1 AND deleted IS NOT NULL").With(stream).Finds();

    /// <summary>Fetches until a portion was not full or a row said that it is enough.</summary>
    private static async Task Portions(Func<int, NpgsqlCommand> portion, Func<NpgsqlDataReader, bool> wantsMore)
    {
        var rows = FirstRows;
        while (true)
        {
            var (read, more) = (0, true);
            await using (var command = portion(rows))
            {
                await using var row = await command.ExecuteReaderAsync();
                while (more && await row.ReadAsync())
                {
                    read++;
                    more = wantsMore(row);
                }
            }
            if (!more || read < rows) return;
            rows = Math.Min(rows * 2, MostRows);
        }
    }

    private static async Task<IReadOnlyList<T>> All<T>(NpgsqlCommand command, Func<NpgsqlDataReader, T> read)
    {
        await using var disposed = command;
        await using var row = await command.ExecuteReaderAsync();
        var all = new List<T>();
        while (await row.ReadAsync()) all.Add(read(row));
        return all;
    }
}
