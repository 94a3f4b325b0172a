using OrleansEvents.Streams;

namespace OrleansEvents.Storage.Memory;

/// <summary>The log without storage: what is in it lives as long as the process. For <c>--store memory</c> and as the
/// reference that tests compare other stores with.</summary>
public sealed partial class MemoryEventLog : IEventLog
{
    private readonly Lock _lock = new();
    private readonly Dictionary<long, MemoryStreamRow> _byId = [];
    private readonly SortedDictionary<string, MemoryStreamRow> _byName = new(StringComparer.Ordinal);
    private long _lastId;

    /// <inheritdoc/>
    public Task<OpenedStream?> Open(string stream, ulong epoch, bool create, long nowMs) => Locked(() =>
    {
        var known = _byName.GetValueOrDefault(stream);
        if (known is { DeletedMs: null }) return known.Open(epoch, nowMs);
        if (!create) return null;
        if (known is not null) _byId.Remove(known.Id);
        var made = new MemoryStreamRow(++_lastId, stream, nowMs, epoch, (known?.Reserved ?? 0) + 1);
        _byId[made.Id] = _byName[stream] = made;
        return made.Opened(created: true, closed: null);
    });

    /// <inheritdoc/>
    public Task<LogHandle> Reopen(LogHandle handle, ulong epoch, long confirmed, long next) => Locked(() =>
    {
        var row = _byId.GetValueOrDefault(handle.Id);
        if (row is null || row.DeletedMs is not null || (row.Epoch != handle.Epoch && row.Epoch != epoch))
            throw Fenced(handle);
        row.Reopen(epoch, confirmed, next);
        return handle with { Epoch = epoch };
    });

    /// <inheritdoc/>
    public Task Append(LogHandle handle, IReadOnlyList<EventRun> runs, IReadOnlyList<LogKey> keys) =>
        Write(handle, row => row.Append(runs, keys));

    /// <inheritdoc/>
    public Task Reserve(LogHandle handle, long through) =>
        Write(handle, row => row.Reserved = Math.Max(row.Reserved, through));

    /// <inheritdoc/>
    public Task Close(LogHandle handle, GracefulClose close) =>
        Write(handle, row => row.Close(close), closedToo: true);

    /// <inheritdoc/>
    public Task SaveSettings(LogHandle handle, string settings, long? durableSince) =>
        Write(handle, row => (row.Settings, row.DurableSince) = (settings, durableSince));

    /// <inheritdoc/>
    public Task Complete(LogHandle handle) => Write(handle, row => row.Completed = true);

    /// <inheritdoc/>
    public Task Delete(LogHandle handle, long nowMs) => Write(handle, row => row.Delete(nowMs));

    /// <inheritdoc/>
    public Task Trim(LogHandle handle, long through, long nowMs) => Write(handle, row => row.Trim(through, nowMs));

    /// <inheritdoc/>
    public Task SaveSubscriber(LogHandle handle, SubscriberWrite write)
    {
        ParkedEvents.Require(write);
        return Write(handle, row => row.SaveSubscriber(write));
    }

    /// <inheritdoc/>
    public Task RemoveSubscriber(LogHandle handle, string name) =>
        Write(handle, row => row.Subscribers.Remove(name));

    /// <inheritdoc/>
    public Task<EventRun> Read(long id, long after, int maxEvents, int maxBytes) => Locked(() =>
        _byId.TryGetValue(id, out var row) ? row.Read(after, maxEvents, maxBytes) : new EventRun());

    /// <inheritdoc/>
    public Task<EventRun> ReadNewest(long id, int maxEvents, int maxBytes) => Locked(() =>
        _byId.TryGetValue(id, out var row) ? row.ReadNewest(maxEvents, maxBytes) : new EventRun());

    /// <inheritdoc/>
    public Task<OwedMark[]> ReadOwed(long id, long after, bool all, bool types) => Locked(() =>
    {
        var marks = new OwedMarks(after, all, types);
        if (_byId.TryGetValue(id, out var row)) row.ReadOwed(marks);
        return marks.Finish();
    });

    /// <inheritdoc/>
    public Task<ParkedPage> ReadParked(long id, string subscriber, long after, int maxEvents, int maxBytes) =>
        Locked(() =>
        {
            var parked = new ParkedEvents(maxEvents, maxBytes);
            if (_byId.TryGetValue(id, out var row) && row.Subscribers.TryGetValue(subscriber, out var known))
                known.Read(parked, after);
            return parked.Page;
        });

    /// <inheritdoc/>
    public Task<IReadOnlyList<string>> StreamsToWake() => Locked(() =>
    {
        IReadOnlyList<string> streams = [.. _byName.Values
            .Where(row => row.Subscribers.Values.Any(subscriber => subscriber.Wakes)).Select(row => row.Name)];
        return streams;
    });

    /// <inheritdoc/>
    public Task<IReadOnlyList<StoredStream>> List(string prefix, string? after, int limit) => Locked(() =>
    {
        IReadOnlyList<StoredStream> listed = [.. _byName.Values
            .Where(row => row.DeletedMs is null && row.Name.StartsWith(prefix, StringComparison.Ordinal)
                && (after is null || string.CompareOrdinal(row.Name, after) > 0))
            .Take(limit)
            .Select(row => new StoredStream(row.Name, row.Completed, row.CreatedMs))];
        return listed;
    });

    /// <inheritdoc/>
    public Task<bool> IsDeleted(string stream) =>
        Locked(() => _byName.TryGetValue(stream, out var row) && row.DeletedMs is not null);

    /// <inheritdoc/>
    public Task ForgetTombstones(long beforeMs) => Locked(() =>
    {
        foreach (var row in _byName.Values.Where(row => row.DeletedMs < beforeMs).ToArray())
        {
            _byName.Remove(row.Name);
            _byId.Remove(row.Id);
        }
        return true;
    });

    /// <inheritdoc/>
    public Task Probe() => Task.CompletedTask;

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private static LogFencedException Fenced(LogHandle handle) =>
        new($"Stream {handle.Id} is no longer open in epoch {handle.Epoch:x16}.");

    private Task<bool> Write(LogHandle handle, Action<MemoryStreamRow> write, bool closedToo = false) => Locked(() =>
    {
        var row = _byId.GetValueOrDefault(handle.Id);
        if (row is null || row.DeletedMs is not null || row.Epoch != handle.Epoch) throw Fenced(handle);
        if (row.IsClosed && !closedToo) throw Fenced(handle);
        write(row);
        return true;
    });

    private Task<T> Locked<T>(Func<T> work)
    {
        lock (_lock)
        {
            try
            {
                return Task.FromResult(work());
            }
#pragma warning disable CA1031 // A refusal belongs into the task, as from any other store.
            catch (Exception refusal)
#pragma warning restore CA1031
            {
                return Task.FromException<T>(refusal);
            }
        }
    }
}
