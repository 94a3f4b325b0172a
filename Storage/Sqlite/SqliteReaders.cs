using System.Globalization;
using OrleansEvents.Streams;

namespace OrleansEvents.Storage.Sqlite;

/// <summary>A few threads that read, each with its own connection: reading blocks on the disk, and threads that serve
/// requests must not.</summary>
internal sealed class SqliteReaders
{
    private readonly string _path;
    private readonly SqliteOptions _options;
    private readonly WorkQueue<IRead> _queue = new();
    private readonly Thread[] _threads;
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _running;
    private volatile string? _failure;

    public SqliteReaders(string path, SqliteOptions options)
    {
        (_path, _options) = (path, options);
        _threads = new Thread[_running = Math.Max(1, options.Readers)];
        for (var i = 0; i < _threads.Length; i++)
            _threads[i] = new Thread(Run) { IsBackground = true, Name = "events-reader" };
    }

    public string? Failure => _failure;

    public void Start()
    {
        foreach (var thread in _threads) thread.Start();
    }

    public Task<T> Add<T>(Func<ReadTables, T> read)
    {
        var reading = new Reading<T>(read);
        if (!_queue.TryAdd(reading)) reading.Fail(new LogUnavailableException("The log is closed."));
        return reading.Task;
    }

    /// <summary>Answers what waits, and ends.</summary>
    public Task Stop()
    {
        _queue.End();
        return _ended.Task;
    }

    private void Run()
    {
        SqliteDatabase? database = null;
        ReadTables? tables = null;
        while (_queue.Take(out var read))
        {
            try
            {
                database ??= Connect();
                read.Apply(tables ??= new ReadTables(database));
                _failure = null;
            }
#pragma warning disable CA1031 // Whatever it is, the thread must live and the caller must be told.
            catch (Exception failure)
#pragma warning restore CA1031
            {
                database?.Dispose();
                (database, tables) = (null, null);
                _failure = $"Reading {_path}: {(failure is SqliteFailure known ? known.Text : failure.Message)}";
                read.Fail(new LogUnavailableException(_failure, failure));
            }
        }
        database?.Dispose();
        if (Interlocked.Decrement(ref _running) == 0) _ended.SetResult();
    }

    private SqliteDatabase Connect()
    {
        var database = SqliteDatabase.OpenReadWrite(_path);
        database.Number($"PRAGMA cache_size={(-_options.CacheBytes / 1024).ToString(CultureInfo.InvariantCulture)}");
        database.Number("PRAGMA query_only=1");
        return database;
    }

    private interface IRead
    {
        void Apply(ReadTables tables);

        void Fail(LogUnavailableException reason);
    }

    private sealed class Reading<T>(Func<ReadTables, T> read)
        : TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously), IRead
    {
        public void Apply(ReadTables tables) => TrySetResult(read(tables));

        public void Fail(LogUnavailableException reason) => TrySetException(reason);
    }
}
