using OrleansEvents.Storage.Memory;
using OrleansEvents.Streams;
using Xunit;

namespace OrleansEvents.Tests.Storage;

/// <summary>A log in front of another is a log.</summary>
public sealed class FaultlessLogTests : EventLogContract
{
    protected override Task<IEventLog> Make() => Task.FromResult<IEventLog>(new FaultyLog(new MemoryEventLog()));
}

public sealed class FaultyLogTests : IAsyncDisposable
{
    private readonly FaultyLog _log = new(new MemoryEventLog());

    public ValueTask DisposeAsync() => _log.DisposeAsync();

    [Fact]
    public async Task A_write_that_fails_before_has_not_happened_and_one_that_fails_after_has()
    {
        var handle = await Open();
        _log.FailBefore(call => call is { Operation: LogOperation.Append, Count: 2 });
        _log.FailAfter(call => call is { Operation: LogOperation.Append, Count: 3 });

        await Append(handle, 1);
        await Assert.ThrowsAsync<LogUnavailableException>(() => Append(handle, 2));
        await Assert.ThrowsAsync<LogUnavailableException>(() => Append(handle, 3));
        await Append(handle, 4);
        Assert.Equal([1, 3, 4], await Stored(handle));
    }

    [Fact]
    public async Task A_held_write_holds_those_behind_it_and_no_reader()
    {
        var handle = await Open();
        var held = _log.Hold(call => call is { Operation: LogOperation.Append, Count: 2 });
        await Append(handle, 1);
        var writes = Enumerable.Range(2, 20).Select(seq => Append(handle, seq)).ToArray();
        await held.Reached;

        Assert.All(writes, write => Assert.False(write.IsCompleted));
        Assert.Equal([1], await Stored(handle));
        held.Release();
        await Task.WhenAll(writes);
        Assert.Equal(Enumerable.Range(1, 21).Select(seq => (long)seq), await Stored(handle));
    }

    [Fact]
    public async Task Chance_is_the_same_for_the_same_seed_and_can_be_ended()
    {
        var first = await Outcomes(7);
        Assert.Equal(first, await Outcomes(7));
        Assert.NotEqual(first, await Outcomes(8));
        Assert.Contains(first, failed => failed);
        Assert.Contains(first, failed => !failed);

        static async Task<List<bool>> Outcomes(int seed)
        {
            var log = new FaultyLog(new MemoryEventLog());
            log.FailAtRandom(seed, before: 0.3, after: 0.2);
            var failed = new List<bool>();
            for (var i = 0; i < 50; i++) failed.Add(await Record.ExceptionAsync(log.Probe) is not null);
            log.Heal();
            await log.Probe();
            Assert.Equal(51, log.Count(LogOperation.Probe));
            return failed;
        }
    }

    private async Task<LogHandle> Open() => (await _log.Open("orders", 1, create: true, 0))!.Handle;

    private async Task Append(LogHandle handle, long seq)
    {
        using var run = TestRuns.Of(seq);
        await _log.Append(handle, [run], []);
    }

    private async Task<IEnumerable<long>> Stored(LogHandle handle)
    {
        using var run = await _log.Read(handle.Id, 0, int.MaxValue, int.MaxValue);
        return TestRuns.Seqs(run);
    }
}
