using OrleansEvents.Streams;

namespace OrleansEvents.Storage.Sqlite;

/// <summary>The log in one SQLite file of a data folder that this process has to itself.</summary>
public sealed class SqliteEventLog : IEventLog
{
    private readonly FolderLock _folder;
    private readonly SqliteWriter _writer;
    private readonly SqliteReaders _readers;

    private SqliteEventLog(FolderLock folder, SqliteWriter writer, SqliteReaders readers, string found)
    {
        (_folder, _writer, _readers) = (folder, writer, readers);
        Found = found;
    }

    /// <summary>What was found at start, as one line for the log.</summary>
    public string Found { get; }

    /// <summary>Why storage last failed, or null while it works.</summary>
    public string? Failure => _writer.Failure ?? _readers.Failure;

    /// <summary>What has been written since the start.</summary>
    public LogStatistics Statistics => _writer.Statistics;

    /// <summary>Opens the folder's log, or makes it. Throws <see cref="LogRefusedException"/> with one line that says
    /// what is wrong.</summary>
    public static SqliteEventLog Start(SqliteOptions options, TimeProvider time)
    {
        var path = Path.Combine(options.Folder, SqliteFiles.Name);
        var folder = FolderLock.Take(options.Folder);
        try
        {
            var found = SqliteStart.Prepare(path, options, time);
            var (writer, readers) = (new SqliteWriter(path, options), new SqliteReaders(path, options));
            writer.Start();
            readers.Start();
            var log = new SqliteEventLog(folder, writer, readers, found);
            _ = log.Purge();
            return log;
        }
        catch (SqliteFailure failure)
        {
            folder.Dispose();
            throw new LogRefusedException($"{path} cannot be opened: {failure.Text}.", failure);
        }
        catch
        {
            folder.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public Task<OpenedStream?> Open(string stream, ulong epoch, bool create, long nowMs) =>
        _writer.Add(null, tables => tables.Open(stream, epoch, create, nowMs));

    /// <inheritdoc/>
    public async Task<LogHandle> Reopen(LogHandle handle, ulong epoch, long confirmed, long next) =>
        await _writer.Add(null, tables => tables.Reopen(handle, epoch, confirmed, next))
        ?? throw Write<LogHandle>.Fenced(handle);

    /// <inheritdoc/>
    public async Task Append(LogHandle handle, IReadOnlyList<EventRun> runs, IReadOnlyList<LogKey> keys)
    {
        if (!await _writer.Add(handle, tables => tables.Append(handle.Id, runs, keys)))
            throw new InvalidOperationException($"Stream {handle.Id} already has events with these numbers.");
    }

    /// <inheritdoc/>
    public Task Reserve(LogHandle handle, long through) =>
        Write(handle, tables => tables.Reserve(handle.Id, through));

    /// <inheritdoc/>
    public Task Close(LogHandle handle, GracefulClose close) =>
        Write(handle, tables => tables.Close(handle.Id, close), closedToo: true);

    /// <inheritdoc/>
    public Task SaveSettings(LogHandle handle, string settings, long? durableSince) =>
        Write(handle, tables => tables.SaveSettings(handle.Id, settings, durableSince));

    /// <inheritdoc/>
    public Task Complete(LogHandle handle) => Write(handle, tables => tables.Complete(handle.Id));

    /// <inheritdoc/>
    public async Task Delete(LogHandle handle, long nowMs)
    {
        await Write(handle, tables => tables.Delete(handle.Id, nowMs));
        _ = Purge();
    }

    /// <inheritdoc/>
    public async Task Trim(LogHandle handle, long through, long nowMs)
    {
        // In parts, so that other streams' writes get in between.
        var more = await _writer.Add(handle, tables => tables.Trim(handle.Id, through, nowMs));
        while (more) more = await _writer.Add(null, tables => tables.DeleteSome(handle.Id, through, nowMs - 1));
    }

    /// <inheritdoc/>
    public Task SaveSubscriber(LogHandle handle, SubscriberWrite write)
    {
        ParkedEvents.Require(write);
        return Write(handle, tables => tables.SaveSubscriber(handle.Id, write));
    }

    /// <inheritdoc/>
    public Task RemoveSubscriber(LogHandle handle, string name) =>
        Write(handle, tables => tables.RemoveSubscriber(handle.Id, name));

    /// <inheritdoc/>
    public Task<EventRun> Read(long id, long after, int maxEvents, int maxBytes) =>
        _readers.Add(tables => tables.Read(id, after, maxEvents, maxBytes));

    /// <inheritdoc/>
    public Task<EventRun> ReadNewest(long id, int maxEvents, int maxBytes) =>
        _readers.Add(tables => tables.ReadNewest(id, maxEvents, maxBytes));

    /// <inheritdoc/>
    public Task<OwedMark[]> ReadOwed(long id, long after, bool all, bool types) =>
        _readers.Add(tables => tables.ReadOwed(id, after, all, types));

    /// <inheritdoc/>
    public Task<ParkedPage> ReadParked(long id, string subscriber, long after, int maxEvents, int maxBytes) =>
        _readers.Add(tables => tables.ReadParked(id, subscriber, after, maxEvents, maxBytes));

    /// <inheritdoc/>
    public Task<IReadOnlyList<string>> StreamsToWake() => _readers.Add(tables => tables.StreamsToWake());

    /// <inheritdoc/>
    public Task<IReadOnlyList<StoredStream>> List(string prefix, string? after, int limit) =>
        _readers.Add(tables => tables.List(prefix, after, limit));

    /// <inheritdoc/>
    public Task<bool> IsDeleted(string stream) => _readers.Add(tables => tables.IsDeleted(stream));

    /// <inheritdoc/>
    public Task ForgetTombstones(long beforeMs) => Write(null, tables => tables.ForgetTombstones(beforeMs));

    /// <inheritdoc/>
    public Task Probe() => Write(null, tables => tables.Probe());

    /// <summary>Commits what waits and closes the file.</summary>
    public async ValueTask DisposeAsync()
    {
        await _readers.Stop();
        // Last: the connection that is closed last moves the write-ahead log into the file.
        await _writer.Stop();
        _folder.Dispose();
    }

    // What fails here, or is not reached before the end, is taken up at the next deletion or start.
    private async Task Purge()
    {
        try
        {
            while (await _writer.Add(null, tables => tables.Purge()))
            {
            }
        }
        catch (LogUnavailableException)
        {
        }
    }

    private Task<bool> Write(LogHandle? handle, Action<WriteTables> write, bool closedToo = false) =>
        _writer.Add(handle, tables =>
        {
            write(tables);
            return true;
        }, closedToo);
}
