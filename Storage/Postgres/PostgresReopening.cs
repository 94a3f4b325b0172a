using Npgsql;
using OrleansEvents.Streams;

namespace OrleansEvents.Storage.Postgres;

/// <summary>Gives an open stream a new epoch, and takes back what was not confirmed.</summary>
internal sealed class PostgresReopening(NpgsqlDataSource source)
{
    private const string FindSql = $"SELECT {StreamColumns.All} FROM streams WHERE id = $1";

    /// <summary>False when the stream was opened by another since.</summary>
    public async Task<bool> Reopen(LogHandle handle, ulong epoch, long confirmed, long next)
    {
        var row = await Find(handle.Id);
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

    private async Task<StreamRow?> Find(long id)
    {
        await using var command = source.CreateCommand(FindSql).With(id);
        await using var row = await command.ExecuteReaderAsync();
        return await row.ReadAsync() ? StreamColumns.Read(row) : null;
    }
}
