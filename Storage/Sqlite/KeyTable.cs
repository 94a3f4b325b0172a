using OrleansEvents.Streams;

namespace OrleansEvents.Storage.Sqlite;

/// <summary>The keys of durable events: a row holds those of one append, because every event may have one, and a row
/// for each would cost more than the events.</summary>
internal sealed class KeyTable(SqliteDatabase database)
{
    private readonly SqliteStatement _insert = database.Prepare(
        "INSERT INTO keys(stream, first, last, expires, keys) VALUES(?1, ?2, ?3, ?4, ?5)");

    private readonly SqliteStatement _read = database.Prepare(
        "SELECT keys FROM keys WHERE stream = ?1 AND expires >= ?2 ORDER BY id");

    private readonly SqliteStatement _readBehind = database.Prepare(
        "SELECT keys FROM keys WHERE stream = ?1 AND last > ?2 AND first <= ?2 ORDER BY id");

    private readonly SqliteStatement _deleteBehind = database.Prepare(
        "DELETE FROM keys WHERE stream = ?1 AND last > ?2");

    private readonly SqliteStatement _deleteExpired = database.Prepare("""
        DELETE FROM keys WHERE id IN (
            SELECT id FROM keys WHERE stream = ?1 AND expires <= ?2 ORDER BY expires LIMIT ?3)
        """);

    public void Insert(long stream, IReadOnlyList<LogKey> keys)
    {
        if (keys.Count == 0) return;
        var (first, last, expires) = (long.MaxValue, long.MinValue, long.MinValue);
        foreach (var key in keys)
        {
            first = Math.Min(first, key.Seq);
            last = Math.Max(last, key.Seq);
            expires = Math.Max(expires, key.ExpiresMs);
        }
        using var blob = KeyBlob.Write(stream, keys);
        _insert.Bind(1, stream).Bind(2, first).Bind(3, last).Bind(4, expires).Bind(5, blob.Bytes).Run();
    }

    /// <summary>The keys that have not expired; of those given twice the newer.</summary>
    public IReadOnlyList<LogKey> Read(long stream, long nowMs)
    {
        _read.Bind(1, stream).Bind(2, nowMs);
        var keys = Collect(stream, _read);
        return [.. keys.Where(key => key.ExpiresMs >= nowMs)];
    }

    /// <summary>Deletes keys, not only whole rows.</summary>
    public void DeleteBehind(long stream, long confirmed)
    {
        _readBehind.Bind(1, stream).Bind(2, confirmed);
        var cut = Collect(stream, _readBehind);
        _deleteBehind.Bind(1, stream).Bind(2, confirmed).Run();
        Insert(stream, [.. cut.Where(key => key.Seq <= confirmed)]);
    }

    /// <summary>Deletes so many rows at most that had expired by then; true when there may be more.</summary>
    public bool DeleteExpired(long stream, long byMs, int limit) =>
        _deleteExpired.Bind(1, stream).Bind(2, byMs).Bind(3, limit).Change() == limit;

    private static Dictionary<string, LogKey>.ValueCollection Collect(long stream, SqliteStatement rows)
    {
        var keys = new Dictionary<string, LogKey>(StringComparer.Ordinal);
        try
        {
            while (rows.Step())
                foreach (var key in KeyBlob.Read(stream, rows.Blob(0))) keys[key.Key] = key;
        }
        finally
        {
            rows.Reset();
        }
        return keys.Values;
    }
}
