using OrleansEvents.Streams;

namespace OrleansEvents.Storage.Sqlite;

/// <summary>What each write of the port does inside the writer's transaction. A write that names a handle has been
/// admitted before it comes here.</summary>
internal sealed class WriteTables(SqliteDatabase database)
{
    // Rows deleted in one transaction: other streams' writes wait for it.
    private const int RowsAtOnce = 1000;

    private readonly StreamTable _streams = new(database);
    private readonly RunTable _runs = new(database);
    private readonly KeyTable _keys = new(database);
    private readonly SavedTables _saved = new(database);
    private readonly ParkedTable _parked = new(database);
    private readonly SqliteStatement _begin = database.Prepare("BEGIN IMMEDIATE");
    private readonly SqliteStatement _commit = database.Prepare("COMMIT");
    private readonly SqliteStatement _probe = database.Prepare("UPDATE probes SET count = count + 1 WHERE id = 1");

    public void Begin() => _begin.Run();

    public void Commit() => _commit.Run();

    public bool Admits(LogHandle handle, bool closedToo) => _streams.Admits(handle, closedToo);

    public OpenedStream? Open(string name, ulong epoch, bool create, long nowMs)
    {
        var row = _streams.Find(name);
        if (row is { Deleted: null }) return OpenAgain(row, epoch, nowMs);
        if (!create) return null;
        // Another id than the tombstone's: whoever still reads by the old one must not see the new stream.
        if (row is not null) _streams.Remove(row.Id);
        var epochs = EpochHistory.Begin(epoch, (row?.Reserved ?? 0) + 1);
        var reserved = EpochHistory.ReservedBy(epochs);
        var id = _streams.Insert(name, nowMs, reserved, epochs);
        return NewStream.Opened(new LogHandle(id, epoch), nowMs, epochs, reserved);
    }

    /// <summary>Null when the stream was opened by another since.</summary>
    public LogHandle? Reopen(LogHandle handle, ulong epoch, long confirmed, long next)
    {
        var row = _streams.Find(handle.Id);
        if (row is null or { Deleted: not null }) return null;
        if (row.Epochs[^1].Epoch != handle.Epoch && row.Epochs[^1].Epoch != epoch) return null;
        _runs.DeleteBehind(row.Id, confirmed);
        _keys.DeleteBehind(row.Id, confirmed);
        _saved.DeleteRing(row.Id);
        _streams.Open(row.Id, Math.Max(row.Reserved, next - 1), EpochHistory.Reopen(row.Epochs, epoch, next));
        return handle with { Epoch = epoch };
    }

    /// <summary>False, and nothing written, when numbers do not rise.</summary>
    public bool Append(long id, IReadOnlyList<EventRun> runs, IReadOnlyList<LogKey> keys)
    {
        if (!StoredRuns.Rise(runs, _streams.LastStored(id))) return false;
        if (runs.Count == 1 && runs[0].Count > 0) _runs.Insert(id, runs[0]);
        else StoredRuns.Write(runs, run => _runs.Insert(id, run));
        _keys.Insert(id, keys);
        return true;
    }

    public void Reserve(long id, long through) => _streams.Reserve(id, through);

    public void Close(long id, GracefulClose close)
    {
        _saved.SaveRing(id, close.Ring);
        _streams.Close(id, close);
    }

    public void SaveSettings(long id, string settings, long? durableSince) =>
        _streams.SaveSettings(id, settings, durableSince);

    public void Complete(long id) => _streams.Complete(id);

    /// <summary>Nobody can see the stream any more; <see cref="Purge"/> removes its events, keys and what is
    /// parked.</summary>
    public void Delete(long id, long nowMs)
    {
        _saved.DeleteAll(id);
        _streams.Bury(id, nowMs);
    }

    /// <summary>Removes a part of what deleted streams left; false when nothing is left.</summary>
    public bool Purge()
    {
        if (_streams.NextPurge() is not { } id) return false;
        if (!(DeleteSome(id, long.MaxValue, long.MaxValue) | _parked.DeleteSome(id, RowsAtOnce))) _streams.Purged(id);
        return true;
    }

    /// <summary>Begins to trim; true when <see cref="DeleteSome"/> must go on.</summary>
    public bool Trim(long id, long through, long nowMs)
    {
        _streams.Trim(id, through);
        return DeleteSome(id, through, nowMs - 1);
    }

    /// <summary>Deletes a part of the events up to a number and of the keys that had expired by then; true when
    /// there may be more.</summary>
    public bool DeleteSome(long id, long through, long expiredByMs) =>
        _runs.DeleteThrough(id, through, RowsAtOnce) | _keys.DeleteExpired(id, expiredByMs, RowsAtOnce);

    public void SaveSubscriber(long id, SubscriberWrite write)
    {
        _saved.SaveSubscriber(id, write.Name, write.State.Span, write.Wakes);
        foreach (var (first, last) in write.Unpark) _parked.Delete(id, write.Name, first, last);
        for (var i = 0; i < write.Notes.Count; i++)
        {
            ref readonly var slot = ref write.Park!.Slots[i];
            _parked.Put(new ParkedRow(id, write.Name, slot, write.ParkedMs, write.Notes[i].Span,
                write.Park.FrameOf(slot)));
        }
    }

    public void RemoveSubscriber(long id, string name)
    {
        _saved.RemoveSubscriber(id, name);
        _parked.Delete(id, name, long.MinValue, long.MaxValue);
    }

    public void ForgetTombstones(long beforeMs) => _streams.ForgetTombstones(beforeMs);

    public void Probe() => _probe.Run();

    private OpenedStream OpenAgain(StreamRow row, ulong epoch, long nowMs)
    {
        var epochs = EpochHistory.Next(row.Epochs, epoch, row.CloseEnd, row.Reserved);
        var reserved = EpochHistory.ReservedBy(epochs);
        var ring = row.CloseEnd is null ? null : _saved.TakeRing(row.Id);
        _streams.Open(row.Id, reserved, epochs);
        _keys.DeleteExpired(row.Id, nowMs - 1, RowsAtOnce);
        return row.Opened(epochs, ring, _runs.Extents(row.Id), _keys.Read(row.Id, nowMs),
            _saved.ReadSubscribers(row.Id, _parked.Marks(row.Id)));
    }
}
