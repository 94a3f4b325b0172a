using Npgsql;

namespace OrleansEvents.Storage.Postgres;

/// <summary>Deletes in parts what nobody needs any more: trimmed events, expired keys, what deleted streams left.
/// Several processes may do it at once.</summary>
internal static class PostgresPurge
{
    /// <summary>Deletes a part of the events up to a number and of the keys that had expired by then; true when there
    /// may be more.</summary>
    public static async Task<bool> Some(NpgsqlDataSource source, long id, long through, long expiredByMs, int rows)
    {
        // Runs do not overlap: of those that begin at or before the number only the last can go beyond it.
        var runs = await Count(source.CreateCommand("""
            WITH gone AS (
                DELETE FROM runs WHERE stream = $1 AND first IN (
                    SELECT first FROM runs WHERE stream = $1 AND first <= $2 AND last <= $2 ORDER BY first LIMIT $3)
                RETURNING first, keys_until, keys),
            kept AS (
                INSERT INTO kept_keys(stream, first, until, keys)
                SELECT $1, first, keys_until, keys FROM gone WHERE keys_until > $4
                ON CONFLICT (stream, first) DO UPDATE SET until = greatest(kept_keys.until, excluded.until),
                    keys = kept_keys.keys || excluded.keys)
            SELECT count(*) FROM gone
            """).With(id).With(through).With(rows).With(expiredByMs));
        await Delete(source.CreateCommand("DELETE FROM kept_keys WHERE stream = $1 AND until <= $2")
            .With(id).With(expiredByMs));
        var keys = await Delete(source.CreateCommand("""
            DELETE FROM keys WHERE stream = $1 AND expires <= $2 AND key IN (
                SELECT key FROM keys WHERE stream = $1 AND expires <= $2 ORDER BY expires LIMIT $3)
            """).With(id).With(expiredByMs).With(rows));
        return runs == rows || keys == rows;
    }

    public static async Task<bool> All(NpgsqlDataSource source, int rows)
    {
        while (await Next(source) is { } id)
        {
            while (await Some(source, id, long.MaxValue, long.MaxValue, rows) | await Parked(source, id, rows))
            {
            }
            await source.CreateCommand("DELETE FROM purges WHERE stream = $1").With(id).Changes();
        }
        return true;
    }

    private static async Task<bool> Parked(NpgsqlDataSource source, long id, int rows) => rows == await Delete(
        source.CreateCommand("""
            DELETE FROM parked WHERE ctid = ANY(ARRAY(SELECT ctid FROM parked WHERE stream = $1 LIMIT $2))
            """).With(id).With(rows));

    private static async Task<long?> Next(NpgsqlDataSource source)
    {
        await using var command = source.CreateCommand("SELECT stream FROM purges LIMIT 1");
        return await command.ExecuteScalarAsync() as long?;
    }

    private static async Task<long> Count(NpgsqlCommand command)
    {
        await using var disposed = command;
        return (long)(await command.ExecuteScalarAsync())!;
    }

    private static async Task<int> Delete(NpgsqlCommand command)
    {
        await using var disposed = command;
        return await command.ExecuteNonQueryAsync();
    }
}
