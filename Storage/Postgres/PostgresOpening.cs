using Npgsql;
using OrleansEvents.Streams;

namespace OrleansEvents.Storage.Postgres;

/// <summary>Opens streams. What an opening makes of the row is decided here and written by one statement, if the row is
/// still what was read; otherwise it is read again. No lock is held while this process thinks.</summary>
internal sealed class PostgresOpening(NpgsqlDataSource source)
{
    private const string Columns = """
        id, deleted, close_end, close_floor, reserved, trimmed, durable_since, completed, created, epochs, settings
        """;

    private const string FindSql = $"SELECT {Columns} FROM streams WHERE name = $1";

    private const string FindIdSql = $"SELECT {Columns} FROM streams WHERE id = $1";

    private const string CreateSql = """
        WITH made AS (
            INSERT INTO streams(epoch, stored, reserved, trimmed, created, completed, name, epochs)
            VALUES($1, 0, $2, 0, $3, false, $4, $5) ON CONFLICT (name) DO NOTHING RETURNING id)
        SELECT id FROM made
        """;

    // Another id than the tombstone's: whoever still reads by the old one must not see the new stream.
    private const string ReplaceSql = """
        WITH gone AS (DELETE FROM streams WHERE id = $6 AND deleted IS NOT NULL RETURNING id),
        made AS (
            INSERT INTO streams(epoch, stored, reserved, trimmed, created, completed, name, epochs)
            SELECT $1, 0, $2, 0, $3, false, $4, $5 FROM gone RETURNING id)
        SELECT id FROM made
        """;

    private const string TakeSql = """
        WITH taken AS (
            UPDATE streams SET epoch = $2, reserved = $3, epochs = $4, close_end = NULL, close_floor = NULL
            WHERE id = $1 AND epoch = $5 AND reserved = $6 AND close_end IS NOT DISTINCT FROM $7 AND deleted IS NULL
            RETURNING id),
        ring AS (DELETE FROM rings USING taken WHERE rings.stream = taken.id RETURNING rings.slots, rings.frames)
        SELECT ring.slots, ring.frames FROM taken LEFT JOIN ring ON true
        """;

    private const string ReadBackSql = "SELECT first, last, count, bytes, appended FROM runs "
        + "WHERE stream = $1 ORDER BY first";

    private const string KeysSql = "SELECT key, hash, epoch, seq, expires FROM keys "
        + "WHERE stream = $1 AND expires >= $2";

    private const string SubscribersSql = "SELECT name, state FROM subscribers WHERE stream = $1 ORDER BY name";

    private const string ParkedSql = "SELECT subscriber, seq, parked FROM parked WHERE stream = $1 "
        + "ORDER BY subscriber, seq";

    public async Task<OpenedStream?> Open(string name, ulong epoch, bool create, long nowMs)
    {
        while (true)
        {
            var row = await Find(source.CreateCommand(FindSql).With(name));
            if (row is { Deleted: null })
            {
                if (await Take(row, epoch) is { } taken) return await ReadBack(row, taken, nowMs);
            }
            else
            {
                if (!create) return null;
                if (await Create(row, name, epoch, nowMs) is { } made) return made;
            }
        }
    }

    /// <summary>False when the stream was opened by another since.</summary>
    public async Task<bool> Reopen(LogHandle handle, ulong epoch, long confirmed, long next)
    {
        var row = await Find(source.CreateCommand(FindIdSql).With(handle.Id));
        if (row is null or { Deleted: not null }) return false;
        var current = row.Epochs[^1].Epoch;
        if (current != handle.Epoch && current != epoch) return false;
        // First the fence, then the deletion as a statement of its own: it must see what an append that was still
        // under way has written before the fence.
        var fenced = await source.CreateCommand("""
            UPDATE streams SET epoch = $2, epochs = $3, reserved = greatest(reserved, $4), stored = $4,
                close_end = NULL, close_floor = NULL
            WHERE id = $1 AND epoch = $5 AND deleted IS NULL
            """).With(handle.Id).With(epoch).With(EpochBlob.Write(EpochHistory.Reopen(row.Epochs, epoch, next)))
            .With(next - 1).With(current).Changes();
        if (!fenced) return false;
        await DeleteBehind(handle with { Epoch = epoch }, confirmed);
        return true;
    }

    /// <summary>Deletes events, not only whole rows.</summary>
    private async Task DeleteBehind(LogHandle handle, long confirmed)
    {
        using var cut = await ReadCut(handle.Id, confirmed);
        if (cut is not null)
        {
            cut.Truncate(StoredRuns.IndexAfter(cut.Slots, confirmed));
            await source.CreateCommand("""
                UPDATE runs SET last = $3, appended = $4, count = $5, critical = $6, bytes = $7, slots = $8, frames = $9
                WHERE stream = (SELECT id FROM streams WHERE id = $1 AND epoch = $2) AND first = $10
                """).With(handle.Id).With(handle.Epoch).With(cut.Last).With(cut.Slots[^1].AppendedMs).With(cut.Count)
                .With(StoredRuns.CountCritical(cut.Slots)).With(cut.Frames.Length).With(RunColumns.Slots(cut))
                .With(cut.Frames).With(cut.First).Changes();
        }
        await source.CreateCommand("""
            WITH held AS MATERIALIZED (
                SELECT id FROM streams WHERE id = $1 AND epoch = $2 FOR NO KEY UPDATE),
            runs_gone AS (DELETE FROM runs USING held WHERE runs.stream = held.id AND runs.first > $3),
            keys_gone AS (DELETE FROM keys USING held WHERE keys.stream = held.id AND keys.seq > $3)
            DELETE FROM rings USING held WHERE rings.stream = held.id
            """).With(handle.Id).With(handle.Epoch).With(confirmed).Changes();
    }

    /// <summary>The row that begins at or before a number and goes beyond it.</summary>
    private async Task<EventRun?> ReadCut(long id, long confirmed)
    {
        await using var command = source.CreateCommand(
            "SELECT slots, frames FROM runs WHERE stream = $1 AND first <= $2 AND last > $2").With(id).With(confirmed);
        await using var reader = await command.ExecuteReaderAsync();
        return await reader.ReadAsync() ? RunColumns.Read(reader, 0) : null;
    }

    private async Task<OpenedStream?> Create(StreamRow? tombstone, string name, ulong epoch, long nowMs)
    {
        var epochs = EpochHistory.Begin(epoch, (tombstone?.Reserved ?? 0) + 1);
        var reserved = epochs[^1].First - 1 + IEventLog.NumberBlock;
        await using var command = source.CreateCommand(tombstone is null ? CreateSql : ReplaceSql)
            .With(epoch).With(reserved).With(nowMs).With(name).With(EpochBlob.Write(epochs));
        if (tombstone is not null) command.With(tombstone.Id);
        if (await command.ExecuteScalarAsync() is not long id) return null;
        return NewStream.Opened(new LogHandle(id, epoch), nowMs, epochs, reserved);
    }

    /// <summary>Null when the row was no longer what was read.</summary>
    private async Task<Taken?> Take(StreamRow row, ulong epoch)
    {
        var epochs = EpochHistory.Next(row.Epochs, epoch, row.CloseEnd, row.Reserved);
        var reserved = epochs[^1].First - 1 + IEventLog.NumberBlock;
        await using var command = source.CreateCommand(TakeSql)
            .With(row.Id).With(epoch).With(reserved).With(EpochBlob.Write(epochs))
            .With(row.Epochs[^1].Epoch).With(row.Reserved).With(row.CloseEnd);
        await using var reader = await command.ExecuteReaderAsync();
        if (!await reader.ReadAsync()) return null;
        var ring = row.CloseEnd is null || reader.IsDBNull(0) ? null : RunColumns.Read(reader, 0);
        return new Taken(epochs, reserved, row.CloseEnd is { } end
            ? new GracefulClose(end, row.CloseFloor, ring ?? new EventRun())
            : null);
    }

    private async Task<OpenedStream> ReadBack(StreamRow row, Taken taken, long nowMs) => new()
    {
        Handle = new LogHandle(row.Id, taken.Epochs[^1].Epoch),
        Created = false,
        CreatedMs = row.CreatedMs,
        Settings = row.Settings,
        Epochs = taken.Epochs,
        ReservedThrough = taken.Reserved,
        Completed = row.Completed,
        DurableSince = row.DurableSince,
        TrimmedThrough = row.Trimmed,
        Closed = taken.Closed,
        Extents = await Extents(row.Id),
        Keys = await Keys(row.Id, nowMs),
        Subscribers = await Subscribers(row.Id, await Parked(row.Id)),
    };

    private async Task<IReadOnlyList<Extent>> Extents(long id)
    {
        var extents = new ExtentList();
        await using var command = source.CreateCommand(ReadBackSql).With(id);
        await using var reader = await command.ExecuteReaderAsync();
        while (await reader.ReadAsync())
        {
            extents.Add(new Extent(reader.GetInt64(0), reader.GetInt64(1), reader.GetInt32(2), reader.GetInt32(3),
                reader.GetInt64(4)));
        }
        return extents.Finish();
    }

    private async Task<IReadOnlyList<LogKey>> Keys(long id, long nowMs)
    {
        var keys = new List<LogKey>();
        await using var command = source.CreateCommand(KeysSql).With(id).With(nowMs);
        await using var reader = await command.ExecuteReaderAsync();
        while (await reader.ReadAsync())
        {
            keys.Add(new LogKey(System.Text.Encoding.UTF8.GetString(reader.GetFieldValue<byte[]>(0)),
                HashBytes.Read(reader.GetFieldValue<byte[]>(1)), unchecked((ulong)reader.GetInt64(2)),
                reader.GetInt64(3), reader.GetInt64(4)));
        }
        return keys;
    }

    private async Task<IReadOnlyList<SubscriberRecord>> Subscribers(long id,
        Dictionary<string, List<ParkedMark>> parked)
    {
        var subscribers = new List<SubscriberRecord>();
        await using var command = source.CreateCommand(SubscribersSql).With(id);
        await using var reader = await command.ExecuteReaderAsync();
        while (await reader.ReadAsync())
        {
            var name = reader.GetString(0);
            subscribers.Add(new SubscriberRecord(name, reader.GetFieldValue<byte[]>(1),
                parked.GetValueOrDefault(name, [])));
        }
        return subscribers;
    }

    private async Task<Dictionary<string, List<ParkedMark>>> Parked(long id)
    {
        var all = new Dictionary<string, List<ParkedMark>>(StringComparer.Ordinal);
        await using var command = source.CreateCommand(ParkedSql).With(id);
        await using var reader = await command.ExecuteReaderAsync();
        while (await reader.ReadAsync())
        {
            var name = reader.GetString(0);
            if (!all.TryGetValue(name, out var marks)) all.Add(name, marks = []);
            marks.Add(new ParkedMark(reader.GetInt64(1), reader.GetInt64(2)));
        }
        return all;
    }

    private static async Task<StreamRow?> Find(NpgsqlCommand command)
    {
        await using var disposed = command;
        await using var row = await command.ExecuteReaderAsync();
        if (!await row.ReadAsync()) return null;
        return new StreamRow(row.GetInt64(0), LongOrNull(1), LongOrNull(2), LongOrNull(3) ?? 0, row.GetInt64(4),
            row.GetInt64(5), LongOrNull(6), row.GetBoolean(7), row.GetInt64(8),
            EpochBlob.Read(row.GetFieldValue<byte[]>(9)), row.IsDBNull(10) ? null : row.GetString(10));

        long? LongOrNull(int column) => row.IsDBNull(column) ? null : row.GetInt64(column);
    }

    private sealed record Taken(EpochRecord[] Epochs, long Reserved, GracefulClose? Closed);
}
