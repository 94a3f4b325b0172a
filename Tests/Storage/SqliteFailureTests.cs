using OrleansEvents.Storage.Sqlite;
using OrleansEvents.Streams;
using Xunit;

namespace OrleansEvents.Tests.Storage;

public sealed class SqliteFailureTests : IDisposable
{
    private readonly DataFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task A_full_disk_fails_writes_but_not_reads_and_is_recovered_from()
    {
        await using var log = SqliteEventLog.Start(_folder.Options with { MaxBytes = 400_000 }, TimeProvider.System);
        var handle = (await log.Open("orders", 1, create: true, 0))!.Handle;
        var last = 0L;
        var failure = await Assert.ThrowsAsync<LogUnavailableException>(async () =>
        {
            while (last < 1000) await Append(log, handle, ++last, bytes: 2000);
        });
        Assert.Contains("disk is full", failure.Message, StringComparison.Ordinal);
        Assert.Equal(failure.Message, log.Failure);
        using (var run = await log.Read(handle.Id, 0, 2000, int.MaxValue))
            Assert.Equal(Enumerable.Range(1, (int)last - 1).Select(seq => (long)seq), TestRuns.Seqs(run));

        await log.Trim(handle, last / 2, 0);
        await Append(log, handle, last + 1, bytes: 2000);
        Assert.Null(log.Failure);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task After_a_crash_all_that_was_confirmed_is_there_and_in_order(int seed)
    {
        // Without checkpoints, so that copying the two files one after the other is what a crash would leave.
        var options = _folder.Options with { CheckpointPages = int.MaxValue };
        await using var log = SqliteEventLog.Start(options, TimeProvider.System);
        var handle = (await log.Open("orders", 1, create: true, 0))!.Handle;
        var crashAt = new Random(seed).Next(50, 400);
        var (confirmed, crashed) = (0L, new TaskCompletionSource());
        var writing = Task.WhenAll(Enumerable.Range(1, 600).Select(async seq =>
        {
            await Append(log, handle, seq);
            if (Interlocked.Increment(ref confirmed) == crashAt) crashed.SetResult();
        }));
        await crashed.Task;
        var atLeast = Interlocked.Read(ref confirmed);
        using var copy = _folder.CopyAsAfterCrash();
        await writing;

        await using var survived = copy.Start();
        var opened = (await survived.Open("orders", 2, create: false, 0))!;
        using var run = await survived.Read(opened.Handle.Id, 0, int.MaxValue, int.MaxValue);
        Assert.True(run.Count >= atLeast, $"{run.Count} of {atLeast} confirmed events survived");
        Assert.Equal(Enumerable.Range(1, run.Count).Select(seq => (long)seq), TestRuns.Seqs(run));
        Assert.True(TestRuns.FramesAreRight(run));
        Assert.Equal(IEventLog.NumberBlock + 1, opened.Epochs[^1].First);
    }

    [Fact]
    public async Task A_long_write_ahead_log_is_moved_into_the_file()
    {
        await using var log = SqliteEventLog.Start(_folder.Options with { CheckpointPages = 50 }, TimeProvider.System);
        var handle = (await log.Open("orders", 1, create: true, 0))!.Handle;
        for (var seq = 1; seq <= 200; seq++) await Append(log, handle, seq, bytes: 10_000);
        Assert.InRange(new FileInfo(_folder.File + "-wal").Length, 1, 1_000_000);
    }

    private static async Task Append(SqliteEventLog log, LogHandle handle, long seq, int bytes = TestRuns.FrameBytes)
    {
        using var run = new EventRun();
        TestRuns.Add(run, seq, critical: true, bytes);
        await log.Append(handle, [run], []);
    }
}
