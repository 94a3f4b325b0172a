using System.Globalization;
using OrleansEvents.Streams;
using SQLitePCL;

namespace OrleansEvents.Storage.Sqlite;

/// <summary>
/// The one thread that writes: takes everything that waits, commits it in one transaction, then answers all. While a
/// commit waits for the disk the next group gathers. When a group fails, storage itself is asked again with the next
/// one, on a new connection; so the log recovers with what was wrong.
/// </summary>
internal sealed class SqliteWriter
{
    private const long WalBytesAtMost = 64 << 20;
    private const int CommitsBetweenLooks = 256;
    private const string TruncateWal = "PRAGMA wal_checkpoint(TRUNCATE)";

    private readonly string _path;
    private readonly SqliteOptions _options;
    private readonly WorkQueue<IWrite> _queue = new();
    private readonly Thread _thread;
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private SqliteDatabase? _database;
    private WriteTables? _tables;
    private long _commits;
    private long _writes;
    private long _failures;
    private volatile string? _failure;

    public SqliteWriter(string path, SqliteOptions options)
    {
        (_path, _options) = (path, options);
        _thread = new Thread(Run) { IsBackground = true, Name = "events-writer" };
    }

    public string? Failure => _failure;

    public LogStatistics Statistics =>
        new(Interlocked.Read(ref _commits), Interlocked.Read(ref _writes), Interlocked.Read(ref _failures));

    public void Start()
    {
        Connect();
        _thread.Start();
    }

    public Task<T> Add<T>(LogHandle? handle, Func<WriteTables, T> apply, bool closedToo = false)
    {
        var write = new Write<T>(handle, closedToo, apply);
        if (!_queue.TryAdd(write)) write.Fail(new LogUnavailableException("The log is closed."));
        return write.Task;
    }

    /// <summary>Commits what waits, and ends.</summary>
    public Task Stop()
    {
        _queue.End();
        return _ended.Task;
    }

    private void Run()
    {
        var group = new List<IWrite>();
        while (_queue.TakeAll(group, _options.GroupWrites))
        {
            Commit(group);
            group.Clear();
        }
        Disconnect();
        _ended.SetResult();
    }

    private void Commit(List<IWrite> group)
    {
        var failure = TryCommit(group);
        if (failure is null)
        {
            foreach (var write in group) write.Complete();
            return;
        }
        if (group.Count > 1 && failure is not SqliteFailure { IsStorage: true })
        {
            // One write's own fault, perhaps a damaged page of its stream, must not be its neighbours': halving finds
            // it without a commit for each of them.
            var half = group.Count / 2;
            Commit(group[..half]);
            Commit(group[half..]);
            return;
        }
        Interlocked.Add(ref _failures, group.Count);
        var reason = failure is SqliteFailure known ? known.Text : failure.Message;
        _failure = $"Writing {_path}: {reason}";
        foreach (var write in group) write.Fail(new LogUnavailableException(_failure, failure));
    }

    private Exception? TryCommit(List<IWrite> group)
    {
        try
        {
            var tables = _tables ?? Connect();
            tables.Begin();
            foreach (var write in group) write.Apply(tables);
            tables.Commit();
        }
#pragma warning disable CA1031 // Whatever it is, the thread must live and the callers must be told.
        catch (Exception failure)
#pragma warning restore CA1031
        {
            // Rolls back too. A new connection, because statements and cache may be in any state.
            Disconnect();
            if (failure is SqliteFailure { Code: raw.SQLITE_FULL }) FreeWal();
            return failure;
        }
        _failure = null;
        Interlocked.Add(ref _writes, group.Count);
        if (Interlocked.Increment(ref _commits) % CommitsBetweenLooks == 0) BoundWal();
        return null;
    }

    private WriteTables Connect()
    {
        _database = SqliteDatabase.OpenReadWrite(_path);
        _database.Number($"PRAGMA cache_size={Text(-_options.CacheBytes / 1024)}");
        _database.Number("PRAGMA journal_mode=WAL");
        _database.Number("PRAGMA synchronous=FULL");
        _database.Number($"PRAGMA wal_autocheckpoint={Text(_options.CheckpointPages)}");
        _database.Number($"PRAGMA journal_size_limit={Text(WalBytesAtMost)}");
        if (_options.MaxBytes is { } most)
            _database.Number($"PRAGMA max_page_count={Text(most / SqliteSchema.PageBytes)}");
        return _tables = new WriteTables(_database);
    }

    private void Disconnect()
    {
        _database?.Dispose();
        (_database, _tables) = (null, null);
    }

    // Under steady reading the log is moved into the file but never begun anew: some snapshot always needs it.
    private void BoundWal()
    {
        var wal = new FileInfo(_path + "-wal");
        if (!wal.Exists || wal.Length < WalBytesAtMost) return;
        try
        {
            _database!.Number(TruncateWal);
        }
        catch (SqliteFailure failure)
        {
            // The group is committed already; a checkpoint that failed is tried again at the next look.
            _failure = $"Checkpointing {_path}: {failure.Text}";
        }
    }

    // What the log holds may have room in the file, on pages that trimming freed: that may end a full disk.
    private void FreeWal()
    {
        try
        {
            Connect();
            _database!.Number(TruncateWal);
        }
        catch (SqliteFailure)
        {
            Disconnect();
        }
    }

    private static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);
}

/// <summary>What the log has done since it was started.</summary>
/// <param name="Commits">Transactions committed.</param>
/// <param name="Writes">Writes that were in them.</param>
/// <param name="Failures">Writes that failed with storage.</param>
public readonly record struct LogStatistics(long Commits, long Writes, long Failures);
