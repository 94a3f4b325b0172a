using OrleansEvents.Streams;

namespace OrleansEvents.Storage.Sqlite;

/// <summary>The streams' own rows, as the writer changes them.</summary>
internal sealed class StreamTable(SqliteDatabase database)
{
    private const string Columns = """
        id, epoch, deleted, close_end, close_floor, reserved, trimmed, durable_since, completed, created, epochs,
        settings
        """;

    private readonly SqliteStatement _byName = database.Prepare($"SELECT {Columns} FROM streams WHERE name = ?1");

    private readonly SqliteStatement _byId = database.Prepare($"SELECT {Columns} FROM streams WHERE id = ?1");

    private readonly SqliteStatement _admitted = database.Prepare("""
        SELECT 1 FROM streams WHERE id = ?1 AND epoch = ?2 AND deleted IS NULL AND (?3 OR close_end IS NULL)
        """);

    private readonly SqliteStatement _lastStored = database.Prepare(
        "SELECT last FROM runs WHERE stream = ?1 ORDER BY first DESC LIMIT 1");

    private readonly SqliteStatement _insert = database.Prepare("""
        INSERT INTO streams(epoch, reserved, trimmed, completed, created, name, epochs)
        VALUES(?1, ?2, 0, 0, ?3, ?4, ?5) RETURNING id
        """);

    private readonly SqliteStatement _open = database.Prepare("""
        UPDATE streams SET epoch = ?2, reserved = ?3, epochs = ?4, close_end = NULL, close_floor = NULL WHERE id = ?1
        """);

    private readonly SqliteStatement _reserve = database.Prepare(
        "UPDATE streams SET reserved = max(reserved, ?2) WHERE id = ?1");

    private readonly SqliteStatement _close = database.Prepare(
        "UPDATE streams SET close_end = ?2, close_floor = ?3 WHERE id = ?1");

    private readonly SqliteStatement _saveSettings = database.Prepare(
        "UPDATE streams SET settings = ?2, durable_since = ?3 WHERE id = ?1");

    private readonly SqliteStatement _complete = database.Prepare("UPDATE streams SET completed = 1 WHERE id = ?1");

    private readonly SqliteStatement _trim = database.Prepare(
        "UPDATE streams SET trimmed = ?2 WHERE id = ?1 AND trimmed < ?2");

    private readonly SqliteStatement _bury = database.Prepare("""
        UPDATE streams SET deleted = ?2, settings = NULL, close_end = NULL, close_floor = NULL WHERE id = ?1
        """);

    private readonly SqliteStatement _purge = database.Prepare("INSERT INTO purges(stream) VALUES(?1)");

    private readonly SqliteStatement _nextPurge = database.Prepare("SELECT stream FROM purges LIMIT 1");

    private readonly SqliteStatement _purged = database.Prepare("DELETE FROM purges WHERE stream = ?1");

    private readonly SqliteStatement _remove = database.Prepare("DELETE FROM streams WHERE id = ?1");

    private readonly SqliteStatement _forget = database.Prepare("DELETE FROM streams WHERE deleted < ?1");

    public StreamRow? Find(string name) => Read(_byName.Bind(1, name));

    public StreamRow? Find(long id) => Read(_byId.Bind(1, id));

    /// <summary>Whether the handle may still write; a closed one may only be closed again.</summary>
    public bool Admits(LogHandle handle, bool closedToo)
    {
        var admitted = _admitted.Bind(1, handle.Id).Bind(2, handle.Epoch).Bind(3, closedToo ? 1L : 0L).Step();
        _admitted.Reset();
        return admitted;
    }

    public long LastStored(long id)
    {
        var last = _lastStored.Bind(1, id).Step() ? _lastStored.Long(0) : 0;
        _lastStored.Reset();
        return last;
    }

    public long Insert(string name, long createdMs, long reserved, EpochRecord[] epochs)
    {
        _insert.Bind(1, epochs[^1].Epoch).Bind(2, reserved).Bind(3, createdMs).Bind(4, name)
            .Bind(5, EpochBlob.Write(epochs)).Step();
        var id = _insert.Long(0);
        _insert.Run();
        return id;
    }

    public void Open(long id, long reserved, EpochRecord[] epochs) =>
        _open.Bind(1, id).Bind(2, epochs[^1].Epoch).Bind(3, reserved).Bind(4, EpochBlob.Write(epochs)).Run();

    public void Reserve(long id, long through) => _reserve.Bind(1, id).Bind(2, through).Run();

    public void Close(long id, GracefulClose close) =>
        _close.Bind(1, id).Bind(2, close.End).Bind(3, close.Floor).Run();

    public void SaveSettings(long id, string settings, long? durableSince) =>
        _saveSettings.Bind(1, id).Bind(2, settings).Bind(3, durableSince).Run();

    public void Complete(long id) => _complete.Bind(1, id).Run();

    public void Trim(long id, long through) => _trim.Bind(1, id).Bind(2, through).Run();

    /// <summary>Makes the row a tombstone whose events and keys are still to be purged.</summary>
    public void Bury(long id, long nowMs)
    {
        _bury.Bind(1, id).Bind(2, nowMs).Run();
        _purge.Bind(1, id).Run();
    }

    /// <summary>A stream to be purged, or null.</summary>
    public long? NextPurge()
    {
        long? stream = _nextPurge.Step() ? _nextPurge.Long(0) : null;
        _nextPurge.Reset();
        return stream;
    }

    public void Purged(long id) => _purged.Bind(1, id).Run();

    public void Remove(long id) => _remove.Bind(1, id).Run();

    public void ForgetTombstones(long beforeMs) => _forget.Bind(1, beforeMs).Run();

    private static StreamRow? Read(SqliteStatement row)
    {
        if (!row.Step()) return null;
        try
        {
            return new StreamRow(row.Long(0), row.LongOrNull(2), row.LongOrNull(3), row.Long(4), row.Long(5),
                row.Long(6), row.LongOrNull(7), row.Long(8) != 0, row.Long(9), EpochBlob.Read(row.Blob(10)),
                row.TextOrNull(11));
        }
        finally
        {
            row.Reset();
        }
    }
}
