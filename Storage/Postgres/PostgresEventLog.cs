using Npgsql;
using OrleansEvents.Streams;

namespace OrleansEvents.Storage.Postgres;

/// <summary>The log in a PostgreSQL database, which many processes may share: each stream has one owner among them, and
/// the epoch in its row says who. Every write is one statement that checks that and commits by itself.</summary>
public sealed partial class PostgresEventLog : IEventLog
{
    // Rows deleted in one statement: whoever opens the stream meanwhile waits for it.
    private const int RowsAtOnce = 1000;

    private readonly NpgsqlDataSource _source;
    private readonly PostgresWriter[] _writers;
    private readonly PostgresOwners _owners;
    private readonly PostgresOpening _opening;
    private readonly PostgresReopening _reopening;
    private readonly PostgresReads _reads;

    private PostgresEventLog(NpgsqlDataSource source, PostgresOptions options, PostgresOwners owners, string found,
        bool isShared)
    {
        (_source, _owners, Found, IsShared) = (source, owners, found, isShared);
        _writers = [.. Enumerable.Range(0, options.Writers).Select(_ => new PostgresWriter(source, options))];
        (_opening, _reopening, _reads) = (new PostgresOpening(source, owners),
            new PostgresReopening(source, owners), new PostgresReads(source));
    }

    /// <summary>What was found at start, as one line for the log.</summary>
    public string Found { get; }

    /// <summary>Whether another server was connected to the same tables at start.</summary>
    public bool IsShared { get; }

    /// <summary>Connects and makes the tables or takes them to this program's version. Throws
    /// <see cref="LogRefusedException"/> with one line that says what is wrong.</summary>
    public static PostgresEventLog Start(PostgresOptions options)
    {
        NpgsqlDataSource? source = null;
        try
        {
            var connection = PostgresConnection.Of(options);
            source = PostgresConnection.Open(connection);
            var was = PostgresSchema.Migrate(source, connection.SearchPath!);
            var found = $"PostgreSQL at {connection.Host}, database {connection.Database}, schema "
                + $"{connection.SearchPath}, " + (was == 0 ? "made now" : was == PostgresSchema.Version ? "as it was"
                : $"taken from version {was} to {PostgresSchema.Version}");
            var log = new PostgresEventLog(source, options, PostgresOwners.Register(source, options.Writers), found,
                PostgresSchema.HasOthers(source));
            _ = log.Purge();
            return log;
        }
        catch (Exception failure) when (failure is NpgsqlException or ArgumentException or IOException
            or System.Net.Sockets.SocketException or TimeoutException or LogRefusedException)
        {
            source?.Dispose();
            if (failure is LogRefusedException) throw;
            throw new LogRefusedException($"PostgreSQL cannot be used: {failure.Message}", failure);
        }
    }

    /// <inheritdoc/>
    public Task<OpenedStream?> Open(string stream, ulong epoch, bool create, long nowMs) =>
        PostgresFailure.Of(() => _opening.Open(stream, epoch, create, nowMs));

    /// <inheritdoc/>
    public async Task<LogHandle> Reopen(LogHandle handle, ulong epoch, long confirmed, long next)
    {
        await Write(handle, _ => _reopening.Reopen(handle, epoch, confirmed, next));
        return handle with { Epoch = epoch };
    }

    /// <inheritdoc/>
    public Task Append(LogHandle handle, IReadOnlyList<EventRun> runs, IReadOnlyList<LogKey> keys) =>
        WriterOf(handle).Add(new AppendWrite(_owners, handle, runs, keys));

    /// <inheritdoc/>
    public Task Reserve(LogHandle handle, long through) =>
        Write(handle, source => PostgresSaves.Reserve(source, handle, through));

    /// <inheritdoc/>
    public Task Close(LogHandle handle, GracefulClose close) =>
        WriterOf(handle).Add(new CloseWrite(_owners, handle, close));

    /// <inheritdoc/>
    public Task SaveSettings(LogHandle handle, string settings, long? durableSince) =>
        Write(handle, source => PostgresSaves.Settings(source, handle, settings, durableSince));

    /// <inheritdoc/>
    public Task Complete(LogHandle handle) => Write(handle, source => PostgresSaves.Complete(source, handle));

    /// <inheritdoc/>
    public async Task Delete(LogHandle handle, long nowMs)
    {
        await Write(handle, source => PostgresSaves.Bury(source, handle, nowMs));
        _owners.Leave(handle);
        _ = Purge();
    }

    /// <inheritdoc/>
    public async Task Trim(LogHandle handle, long through, long nowMs)
    {
        await Write(handle, source => PostgresSaves.Trim(source, handle, through));
        await PostgresFailure.Of(async () =>
        {
            // In parts, and beside the writers: only what nobody needs any more is touched.
            while (await PostgresPurge.Some(_source, handle.Id, through, nowMs - 1, RowsAtOnce))
            {
            }
            return true;
        });
    }

    /// <inheritdoc/>
    public async Task SaveSubscriber(LogHandle handle, SubscriberWrite write)
    {
        ParkedEvents.Require(write);
        if (write.Unpark.Count == 0 && write.Notes.Count == 0)
            await WriterOf(handle).Add(new StateWrite(handle, write));
        else await Write(handle, source => PostgresSaves.Subscriber(source, handle, write));
    }

    /// <inheritdoc/>
    public Task RemoveSubscriber(LogHandle handle, string name) =>
        Write(handle, source => PostgresSaves.RemoveSubscriber(source, handle, name));

    /// <inheritdoc/>
    public Task<EventRun> Read(long id, long after, int maxEvents, int maxBytes) =>
        PostgresFailure.Of(() => _reads.Read(id, after, maxEvents, maxBytes));

    /// <inheritdoc/>
    public Task<EventRun> ReadNewest(long id, int maxEvents, int maxBytes) =>
        PostgresFailure.Of(() => _reads.ReadNewest(id, maxEvents, maxBytes));

    /// <inheritdoc/>
    public Task<OwedMark[]> ReadOwed(long id, long after, bool all, bool types) =>
        PostgresFailure.Of(() => _reads.ReadOwed(id, after, all, types));

    /// <inheritdoc/>
    public Task<ParkedPage> ReadParked(long id, string subscriber, long after, int maxEvents, int maxBytes) =>
        PostgresFailure.Of(() => _reads.ReadParked(id, subscriber, after, maxEvents, maxBytes));

    /// <inheritdoc/>
    public Task<IReadOnlyList<string>> StreamsToWake() => PostgresFailure.Of(_reads.StreamsToWake);

    /// <inheritdoc/>
    public Task<IReadOnlyList<StoredStream>> List(string prefix, string? after, int limit) =>
        PostgresFailure.Of(() => _reads.List(prefix, after, limit));

    /// <inheritdoc/>
    public Task<bool> IsDeleted(string stream) => PostgresFailure.Of(() => _reads.IsDeleted(stream));

    /// <inheritdoc/>
    public Task ForgetTombstones(long beforeMs) => PostgresFailure.Of(() =>
        _source.CreateCommand("DELETE FROM streams WHERE deleted < $1").With(beforeMs).Changes());

    /// <inheritdoc/>
    public Task Probe() => PostgresFailure.Of(() =>
        _source.CreateCommand("UPDATE probes SET count = count + 1 WHERE id = 1").Changes());

    /// <summary>Commits what waits and disconnects.</summary>
    public async ValueTask DisposeAsync()
    {
        foreach (var writer in _writers) await writer.Stop();
        await _source.DisposeAsync();
    }

    // What fails here, or is not reached before the end, is taken up at the next deletion or start.
    private async Task Purge()
    {
        try
        {
            await PostgresFailure.Of(() => PostgresPurge.All(_source, RowsAtOnce));
        }
        catch (LogUnavailableException)
        {
        }
    }

    private PostgresWriter WriterOf(LogHandle handle) => _writers[_owners.WriterOf(handle.Epoch)];

    private Task Write(LogHandle handle, Func<NpgsqlDataSource, Task<bool>> write) =>
        WriterOf(handle).Add(new SingleWrite(handle, write));
}
