using System.Collections;
using OrleansEvents.Storage.Sqlite;
using OrleansEvents.Streams;
using Xunit;

namespace OrleansEvents.Tests.Storage;

public sealed class SqliteGroupCommitTests : IAsyncDisposable
{
    private readonly DataFolder _folder = new();
    private readonly SqliteEventLog _log;

    public SqliteGroupCommitTests() => _log = _folder.Start();

    public async ValueTask DisposeAsync()
    {
        await _log.DisposeAsync();
        _folder.Dispose();
    }

    [Fact]
    public async Task All_that_waits_is_committed_in_one_transaction()
    {
        var handle = await Open("orders");
        var before = _log.Statistics;
        using var stalled = new StalledRuns(TestRuns.Of(1));
        var first = _log.Append(handle, stalled, []);
        stalled.Reached.Wait(TestContext.Current.CancellationToken);

        var appends = Enumerable.Range(2, 300).Select(seq => Append(handle, seq)).ToArray();
        var opens = Enumerable.Range(0, 300).Select(i => Open($"s{i}")).ToArray();
        stalled.Release();
        await Task.WhenAll([first, .. appends, .. opens]);

        Assert.Equal(2, _log.Statistics.Commits - before.Commits);
        Assert.Equal(601, _log.Statistics.Writes - before.Writes);
    }

    [Fact]
    public async Task Reading_does_not_wait_for_the_writer()
    {
        var handle = await Open("orders");
        await Append(handle, 1);
        using var stalled = new StalledRuns(TestRuns.Of(2));
        var write = _log.Append(handle, stalled, []);
        stalled.Reached.Wait(TestContext.Current.CancellationToken);

        using (var run = await _log.Read(handle.Id, 0, 10, int.MaxValue)) Assert.Equal(1, run.Count);
        Assert.False(write.IsCompleted);
        stalled.Release();
        await write;
    }

    [Fact]
    public async Task A_write_that_cannot_be_done_fails_alone()
    {
        var handle = await Open("orders");
        using var stalled = new StalledRuns(TestRuns.Of(1));
        var first = _log.Append(handle, stalled, []);
        stalled.Reached.Wait(TestContext.Current.CancellationToken);
        using var poison = new StalledRuns(null);
        poison.Release();

        var before = Append(handle, 2);
        var failing = _log.Append(handle, poison, []);
        var after = Append(handle, 3);
        stalled.Release();
        await Task.WhenAll(first, before, after);
        await Assert.ThrowsAsync<LogUnavailableException>(() => failing);
        using var run = await _log.Read(handle.Id, 0, 10, int.MaxValue);
        Assert.Equal(3, run.Count);
    }

    [Fact]
    public async Task Closing_commits_what_waits_and_refuses_what_comes_after()
    {
        var handle = await Open("orders");
        var writes = Enumerable.Range(1, 100).Select(seq => Append(handle, seq)).ToArray();
        await _log.DisposeAsync();
        await Task.WhenAll(writes);
        await Assert.ThrowsAsync<LogUnavailableException>(() => Append(handle, 101));
        await Assert.ThrowsAsync<LogUnavailableException>(() => _log.Read(handle.Id, 0, 1, 1));
    }

    [Fact]
    public async Task Much_is_deleted_in_parts_and_all_of_it()
    {
        var (trimmed, deleted) = (await Open("trimmed"), await Open("deleted"));
        await Task.WhenAll(Enumerable.Range(1, 2500).Select(seq => Append(trimmed, seq)));
        await Task.WhenAll(Enumerable.Range(1, 2500).Select(seq => Append(deleted, seq)));
        var before = _log.Statistics.Commits;
        await _log.Trim(trimmed, 2499, 0);
        Assert.True(_log.Statistics.Commits - before >= 3);
        using (var run = await _log.Read(trimmed.Id, 0, 10, int.MaxValue)) Assert.Equal(2500, run.First);

        await _log.Delete(deleted, 0);
        using (var run = await _log.Read(deleted.Id, 0, 10, int.MaxValue)) Assert.Equal(0, run.Count);
        await _log.DisposeAsync();
        await using var again = _folder.Start();
        using var database = SqliteDatabase.OpenReadOnly(_folder.File);
        while (database.Number("SELECT count(*) FROM purges") > 0) await again.Probe();
        Assert.Equal(1, database.Number("SELECT count(*) FROM runs"));
    }

    private async Task<LogHandle> Open(string stream) => (await _log.Open(stream, 1, create: true, 0))!.Handle;

    private async Task Append(LogHandle handle, long seq)
    {
        using var run = TestRuns.Of(seq);
        await _log.Append(handle, [run], []);
    }

    /// <summary>Stops the writer inside its transaction, where it looks at what to append; or fails it there.</summary>
    private sealed class StalledRuns(EventRun? run) : IReadOnlyList<EventRun>, IDisposable
    {
        private readonly ManualResetEventSlim _released = new();

        public ManualResetEventSlim Reached { get; } = new();

        public int Count
        {
            get
            {
                Reached.Set();
                _released.Wait();
                return run is null ? throw new InvalidOperationException("This cannot be appended.") : 1;
            }
        }

        public EventRun this[int index] => run!;

        public void Release() => _released.Set();

        public IEnumerator<EventRun> GetEnumerator()
        {
            for (var i = 0; i < Count; i++) yield return this[i];
        }

        IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

        public void Dispose()
        {
            run?.Dispose();
            _released.Dispose();
            Reached.Dispose();
        }
    }
}
