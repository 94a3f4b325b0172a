using OrleansEvents.Streams;

namespace OrleansEvents.Tests.Storage;

/// <summary>
/// A log in front of another that fails or stalls where a test says so. Rules are asked in the order in which they
/// were added, and the first that matches is taken; a call is named by its operation and how many of that kind there
/// were. A stalled write stalls all later ones, as a writer that hangs does, so writes keep their order.
/// </summary>
internal sealed class FaultyLog(IEventLog inner) : IWholeLog
{
    private readonly Lock _lock = new();
    private readonly List<Rule> _rules = [];
    private readonly Dictionary<LogOperation, int> _counts = [];
    private Task _lastStarted = Task.CompletedTask;
    private int _total;

    /// <summary>The write does not happen, and is reported as failed.</summary>
    public void FailBefore(Func<LogCall, bool> when) => Add(when, Fault.Before, null);

    /// <summary>The write happens, but is reported as failed.</summary>
    public void FailAfter(Func<LogCall, bool> when) => Add(when, Fault.After, null);

    /// <summary>The call waits until it is released.</summary>
    public HeldCall Hold(Func<LogCall, bool> when)
    {
        var held = new HeldCall();
        Add(when, Fault.Hold, held);
        return held;
    }

    /// <summary>Fails these parts of all calls, the same for the same seed and order of calls.</summary>
    public void FailAtRandom(int seed, double before, double after, Func<LogCall, bool>? among = null)
    {
        var random = new Random(seed);
        // Rules are asked under the lock. One draw decides for both, so that their parts add up.
        var draw = 0.0;
        FailBefore(call => (among is null || among(call)) && (draw = random.NextDouble()) < before);
        FailAfter(call => (among is null || among(call)) && draw < before + after);
    }

    /// <summary>Forgets all rules; what is held stays held.</summary>
    public void Heal()
    {
        lock (_lock) _rules.Clear();
    }

    public int Count(LogOperation operation)
    {
        lock (_lock) return _counts.GetValueOrDefault(operation);
    }

    public Task<OpenedStream?> Open(string stream, ulong epoch, bool create, long nowMs) =>
        Write(LogOperation.Open, () => inner.Open(stream, epoch, create, nowMs));

    public Task<LogHandle> Reopen(LogHandle handle, ulong epoch, long confirmed, long next) =>
        Write(LogOperation.Reopen, () => inner.Reopen(handle, epoch, confirmed, next));

    public Task Append(LogHandle handle, IReadOnlyList<EventRun> runs, IReadOnlyList<LogKey> keys) =>
        Write(LogOperation.Append, () => inner.Append(handle, runs, keys));

    public Task Reserve(LogHandle handle, long through) =>
        Write(LogOperation.Reserve, () => inner.Reserve(handle, through));

    public Task Close(LogHandle handle, GracefulClose close) =>
        Write(LogOperation.Close, () => inner.Close(handle, close));

    public Task SaveSettings(LogHandle handle, string settings, long? durableSince) =>
        Write(LogOperation.SaveSettings, () => inner.SaveSettings(handle, settings, durableSince));

    public Task Complete(LogHandle handle) => Write(LogOperation.Complete, () => inner.Complete(handle));

    public Task Delete(LogHandle handle, long nowMs) =>
        Write(LogOperation.Delete, () => inner.Delete(handle, nowMs));

    public Task Trim(LogHandle handle, long through, long nowMs) =>
        Write(LogOperation.Trim, () => inner.Trim(handle, through, nowMs));

    public Task SaveSubscriber(LogHandle handle, SubscriberWrite write) =>
        Write(LogOperation.SaveSubscriber, () => inner.SaveSubscriber(handle, write));

    public Task RemoveSubscriber(LogHandle handle, string name) =>
        Write(LogOperation.RemoveSubscriber, () => inner.RemoveSubscriber(handle, name));

    public Task<OpenedSubscriber?> OpenSubscriber(string stream, string name, SubscriberWrite? create, long nowMs) =>
        Write(LogOperation.SaveSubscriber, () => Rows.OpenSubscriber(stream, name, create, nowMs));

    public Task SaveSubscriber(SubscriberHandle handle, SubscriberWrite write) =>
        Write(LogOperation.SaveSubscriber, () => Rows.SaveSubscriber(handle, write));

    public Task RemoveSubscriber(SubscriberHandle handle) =>
        Write(LogOperation.RemoveSubscriber, () => Rows.RemoveSubscriber(handle));

    private ISubscriberLog Rows => (ISubscriberLog)inner;

    public Task<EventRun> Read(long id, long after, int maxEvents, int maxBytes) =>
        Read(LogOperation.Read, () => inner.Read(id, after, maxEvents, maxBytes));

    public Task<EventRun> ReadNewest(long id, int maxEvents, int maxBytes) =>
        Read(LogOperation.ReadNewest, () => inner.ReadNewest(id, maxEvents, maxBytes));

    public Task<OwedMark[]> ReadOwed(long id, long after, bool all, bool types) =>
        Read(LogOperation.ReadOwed, () => inner.ReadOwed(id, after, all, types));

    public Task<ParkedPage> ReadParked(long id, string subscriber, long after, int maxEvents, int maxBytes) =>
        Read(LogOperation.ReadParked, () => inner.ReadParked(id, subscriber, after, maxEvents, maxBytes));

    public Task<IReadOnlyList<string>> StreamsToWake() =>
        Read(LogOperation.StreamsToWake, inner.StreamsToWake);

    public Task<IReadOnlyList<StoredStream>> List(string prefix, string? after, int limit) =>
        Read(LogOperation.List, () => inner.List(prefix, after, limit));

    public Task<bool> IsDeleted(string stream) => Read(LogOperation.IsDeleted, () => inner.IsDeleted(stream));

    public Task ForgetTombstones(long beforeMs) =>
        Write(LogOperation.ForgetTombstones, () => inner.ForgetTombstones(beforeMs));

    public Task Probe() => Write(LogOperation.Probe, inner.Probe);

    public ValueTask DisposeAsync() => inner.DisposeAsync();

    private Task<bool> Write(LogOperation operation, Func<Task> call) => Write(operation, async () =>
    {
        await call();
        return true;
    });

    private async Task<T> Write<T>(LogOperation operation, Func<Task<T>> call)
    {
        // Completed on the thread of the write before: so the next one starts before anything else can come between.
        var started = new TaskCompletionSource();
        Rule? rule;
        Task before;
        lock (_lock)
        {
            rule = Match_UnderLock(operation);
            (before, _lastStarted) = (_lastStarted, started.Task);
        }
        await before;
        if (rule is { Held: { } held }) await held.Wait();
        Task<T>? written = null;
        try
        {
            if (rule is not { Fault: Fault.Before }) written = call();
        }
        finally
        {
            started.SetResult();
        }
        if (written is null) throw Failed(operation);
        var result = await written;
        return rule is { Fault: Fault.After } ? throw Failed(operation) : result;
    }

    private async Task<T> Read<T>(LogOperation operation, Func<Task<T>> call)
    {
        Rule? rule;
        lock (_lock) rule = Match_UnderLock(operation);
        if (rule is { Fault: Fault.Before or Fault.After }) throw Failed(operation);
        if (rule is { Held: { } held }) await held.Wait();
        return await call();
    }

    private Rule? Match_UnderLock(LogOperation operation)
    {
        var count = _counts[operation] = _counts.GetValueOrDefault(operation) + 1;
        var call = new LogCall(operation, count, ++_total);
        return _rules.Find(rule => rule.When(call));
    }

    private void Add(Func<LogCall, bool> when, Fault fault, HeldCall? held)
    {
        lock (_lock) _rules.Add(new Rule(when, fault, held));
    }

    private static LogUnavailableException Failed(LogOperation operation) => new($"{operation} was made to fail.");

    private enum Fault
    {
        Before,
        After,
        Hold,
    }

    private sealed record Rule(Func<LogCall, bool> When, Fault Fault, HeldCall? Held);
}

/// <summary>The operations of the port.</summary>
internal enum LogOperation
{
    Open,
    Reopen,
    Append,
    Reserve,
    Close,
    SaveSettings,
    Complete,
    Delete,
    Trim,
    SaveSubscriber,
    RemoveSubscriber,
    Read,
    ReadNewest,
    ReadOwed,
    ReadParked,
    StreamsToWake,
    List,
    IsDeleted,
    ForgetTombstones,
    Probe,
}

/// <summary>One call: the how-manieth of its operation and of all, from 1.</summary>
internal readonly record struct LogCall(LogOperation Operation, int Count, int Total);

/// <summary>Calls that were stopped.</summary>
internal sealed class HeldCall
{
    private readonly TaskCompletionSource _reached = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _released = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Completes when the first call has come.</summary>
    public Task Reached => _reached.Task;

    public void Release() => _released.TrySetResult();

    public Task Wait()
    {
        _reached.TrySetResult();
        return _released.Task;
    }
}
