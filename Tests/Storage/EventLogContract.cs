using OrleansEvents.Streams;
using Xunit;

namespace OrleansEvents.Tests.Storage;

/// <summary>What every log must do: the sentences of the port, in its order. A store derives from it and makes its
/// log; the parts are in files of their own.</summary>
public abstract partial class EventLogContract : IAsyncLifetime
{
    protected const long Now = 1_000_000_000;
    protected const long Block = IEventLog.NumberBlock;

    private ulong _epoch = 0x8000_0000_0000_0000;

    protected IEventLog Log { get; private set; } = null!;

    public async ValueTask InitializeAsync() => Log = await Make();

    public async ValueTask DisposeAsync()
    {
        // Without a log the test was skipped.
        if (Log is not null)
        {
            await Log.DisposeAsync();
            await Clean();
        }
        GC.SuppressFinalize(this);
    }

    /// <summary>A new log without any stream.</summary>
    protected abstract Task<IEventLog> Make();

    /// <summary>Removes what the log left behind.</summary>
    protected virtual ValueTask Clean() => ValueTask.CompletedTask;

    /// <summary>An epoch that was not used before; large, as half of all random ones are.</summary>
    protected ulong NextEpoch() => ++_epoch;

    protected async Task<OpenedStream> Open(string stream = "orders", long nowMs = Now)
    {
        var opened = await Log.Open(stream, NextEpoch(), create: true, nowMs);
        Assert.NotNull(opened);
        return opened;
    }

    protected async Task Append(LogHandle handle, params long[] seqs)
    {
        using var run = TestRuns.Of(seqs);
        await Log.Append(handle, [run], []);
    }

    protected async Task<IReadOnlyList<long>> Stored(long id, long after = 0)
    {
        using var run = await Log.Read(id, after, int.MaxValue, int.MaxValue);
        Assert.True(TestRuns.FramesAreRight(run));
        return TestRuns.Seqs(run);
    }

    protected async Task<IReadOnlyList<long>> Critical(long id, long after) =>
        [.. (await Log.ReadOwed(id, after, false, false)).Select(mark => mark.Seq)];

    protected static LogKey Key(string key, long seq, long expiresMs = Now + 1000) =>
        new(key, UInt128.MaxValue - (UInt128)seq, ulong.MaxValue - 1, seq, expiresMs);

    protected static Task Fenced(Func<Task> write) => Assert.ThrowsAsync<LogFencedException>(write);
}
