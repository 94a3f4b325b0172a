using OrleansEvents.Storage.Memory;
using OrleansEvents.Streams;
using Xunit;

namespace OrleansEvents.Tests.Embedded;

/// <summary>
/// A log whose calls wait until the simulation lets one come back: writes in order, reads in any. A call may fail
/// before or after it took effect. At a crash the first few of the writes that wait have happened, the others not.
/// </summary>
internal sealed class SimulatedLog(MemoryEventLog disk, Random random) : IEventLog
{
    private readonly List<Call> _writes = [];
    private readonly List<Call> _reads = [];

    /// <summary>How many of a hundred calls fail.</summary>
    public int FailPercent { get; set; }

    /// <summary>Whether every call fails.</summary>
    public bool IsDown { get; set; }

    public bool HasCalls => _writes.Count + _reads.Count > 0;

    /// <summary>One call comes back.</summary>
    public void ComeBack()
    {
        if (!HasCalls) return;
        var fromReads = _writes.Count == 0 || (_reads.Count > 0 && random.Next(2) == 0);
        var (calls, index) = fromReads ? (_reads, random.Next(_reads.Count)) : (_writes, 0);
        var call = calls[index];
        calls.RemoveAt(index);
        var fails = IsDown || random.Next(100) < FailPercent;
        call.Return(happens: !fails || (!IsDown && random.Next(2) == 0), fails);
    }

    /// <summary>The oldest write comes back as the test says.</summary>
    public void ComeBack(bool happens, bool fails)
    {
        var call = _writes[0];
        _writes.RemoveAt(0);
        call.Return(happens, fails);
    }

    /// <summary>The oldest read comes back.</summary>
    public void ReadComesBack()
    {
        var call = _reads[0];
        _reads.RemoveAt(0);
        call.Return(happens: true);
    }

    /// <summary>The oldest write happens, and does not come back yet.</summary>
    public void Happen() => _writes[0].Return(happens: true, answered: false);

    /// <summary>The process dies: nothing comes back any more.</summary>
    public void Crash()
    {
        foreach (var call in _writes.Take(random.Next(_writes.Count + 1))) call.Return(happens: true, answered: false);
        _writes.Clear();
        _reads.Clear();
    }

    public Task<OpenedStream?> Open(string stream, ulong epoch, bool create, long nowMs) =>
        Write(() => disk.Open(stream, epoch, create, nowMs));

    public Task<LogHandle> Reopen(LogHandle handle, ulong epoch, long confirmed, long next) =>
        Write(() => disk.Reopen(handle, epoch, confirmed, next));

    public Task Append(LogHandle handle, IReadOnlyList<EventRun> runs, IReadOnlyList<LogKey> keys) => Write(() =>
    {
        Assert.All(runs, run => Assert.True(run.Count > 0, "The run's memory was let go before it was written."));
        return disk.Append(handle, runs, keys);
    });

    public Task Reserve(LogHandle handle, long through) => Write(() => disk.Reserve(handle, through));

    public Task Close(LogHandle handle, GracefulClose close) => Write(() => disk.Close(handle, close));

    public Task SaveSettings(LogHandle handle, string settings, long? durableSince) =>
        Write(() => disk.SaveSettings(handle, settings, durableSince));

    public Task Complete(LogHandle handle) => Write(() => disk.Complete(handle));

    public Task Delete(LogHandle handle, long nowMs) => Write(() => disk.Delete(handle, nowMs));

    public Task Trim(LogHandle handle, long through, long nowMs) => Write(() => disk.Trim(handle, through, nowMs));

    public Task SaveSubscriber(LogHandle handle, SubscriberWrite write) =>
        Write(() => disk.SaveSubscriber(handle, write));

    public Task RemoveSubscriber(LogHandle handle, string name) => Write(() => disk.RemoveSubscriber(handle, name));

    public Task<EventRun> Read(long id, long after, int maxEvents, int maxBytes) =>
        Later(_reads, () => disk.Read(id, after, maxEvents, maxBytes));

    public Task<EventRun> ReadNewest(long id, int maxEvents, int maxBytes) =>
        Later(_reads, () => disk.ReadNewest(id, maxEvents, maxBytes));

    public Task<OwedMark[]> ReadOwed(long id, long after, bool all, bool types) =>
        Later(_reads, () => disk.ReadOwed(id, after, all, types));

    public Task<ParkedPage> ReadParked(long id, string subscriber, long after, int maxEvents, int maxBytes) =>
        Later(_reads, () => disk.ReadParked(id, subscriber, after, maxEvents, maxBytes));

    public Task<IReadOnlyList<string>> StreamsToWake() => Later(_reads, disk.StreamsToWake);

    public Task<IReadOnlyList<StoredStream>> List(string prefix, string? after, int limit) =>
        Later(_reads, () => disk.List(prefix, after, limit));

    public Task<bool> IsDeleted(string stream) => Later(_reads, () => disk.IsDeleted(stream));

    public Task ForgetTombstones(long beforeMs) => Write(() => disk.ForgetTombstones(beforeMs));

    public Task Probe() => Write(disk.Probe);

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private Task<bool> Write(Func<Task> write) => Write<bool>(async () =>
    {
        await write();
        return true;
    });

    private Task<T> Write<T>(Func<Task<T>> write) => Later(_writes, write);

    private static Task<T> Later<T>(List<Call> calls, Func<Task<T>> work)
    {
        var call = new Call<T>(work);
        calls.Add(call);
        return call.Answer.Task;
    }

    private abstract class Call
    {
        public abstract void Return(bool happens, bool fails = false, bool answered = true);
    }

    private sealed class Call<T>(Func<Task<T>> work) : Call
    {
        public TaskCompletionSource<T> Answer { get; } = new();

        public override void Return(bool happens, bool fails = false, bool answered = true)
        {
            // The log in memory answers at once.
            var done = happens ? work() : null;
            if (!answered) return;
            if (done is { IsFaulted: true }) Answer.SetException(done.Exception!.InnerException!);
            else if (fails || done is null)
                Answer.SetException(new LogUnavailableException("The simulated storage failed."));
            else Answer.SetResult(done.Result);
        }
    }
}
