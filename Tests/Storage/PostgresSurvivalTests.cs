using System.Diagnostics;
using Npgsql;
using OrleansEvents.Storage.Postgres;
using OrleansEvents.Streams;
using Xunit;

namespace OrleansEvents.Tests.Storage;

/// <summary>A server that stops, crashes, hangs, refuses or is replaced: every write is answered in time, what was
/// confirmed is there, nothing of what was refused is there in part, and writing goes on by itself.</summary>
public sealed class PostgresSurvivalTests : IAsyncLifetime
{
    // Statement, cancelling and connecting, with room for a busy machine.
    private static readonly TimeSpan s_answersWithin = TimeSpan.FromSeconds(90);

    private PostgresMachine _machine = null!;
    private PostgresEventLog _log = null!;
    private ulong _epoch = 1;

    public async ValueTask InitializeAsync()
    {
        _machine = await PostgresMachine.Start();
        _log = Begin(_machine.Connection);
    }

    public async ValueTask DisposeAsync()
    {
        if (_log is not null) await _log.DisposeAsync();
        if (_machine is not null) await _machine.DisposeAsync();
    }

    [Fact]
    public Task Survives_a_restart_of_the_server() => Survives(_machine.Stop, _machine.StartAgain);

    [Fact]
    public Task Survives_a_crash_of_the_server() => Survives(_machine.Crash, _machine.StartAgain);

    [Fact]
    public Task Survives_a_server_that_hangs() => Survives(_machine.Freeze, _machine.Thaw);

    [Fact]
    public Task Survives_a_server_that_takes_no_writes() => Survives(
        () => Set("default_transaction_read_only", "on"), () => Set("default_transaction_read_only", "off"));

    [Fact]
    public async Task Survives_lost_connections_while_others_take_them_all()
    {
        await using var source = NpgsqlDataSource.Create(_machine.Connection + ";Maximum Pool Size=50");
        var taken = new Stack<NpgsqlConnection>();
        await Survives(() => TakeAll(source, taken), async () =>
        {
            while (taken.TryPop(out var each)) await each.DisposeAsync();
            source.Clear();
        });
    }

    [Fact]
    public async Task Goes_on_at_the_standby_that_takes_over()
    {
        await _machine.AddStandby();
        await _log.DisposeAsync();
        _log = Begin(_machine.EitherConnection);
        await Survives(_machine.Crash, _machine.Promote);
    }

    [Fact]
    public async Task A_write_that_waits_for_a_lock_too_long_is_refused_and_does_not_happen_later()
    {
        var handle = await Open("orders");
        await using var source = NpgsqlDataSource.Create(_machine.Connection);
        await using var holder = await source.OpenConnectionAsync();
        await using (var transaction = await holder.BeginTransactionAsync())
        {
            await using var hold = new NpgsqlCommand("SELECT 1 FROM events.streams FOR UPDATE", holder);
            await hold.ExecuteNonQueryAsync();
            Assert.False(await Confirms(handle, 1));
            await PostgresMachine.Until(_machine.Connection,
                "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'", 0);
        }
        Assert.Equal([], await Stored(handle));
        Assert.True(await Confirms(handle, 1));
    }

    /// <summary>Streams are written all the time while the server fails and comes back.</summary>
    private async Task Survives(Func<Task> fail, Func<Task> mend)
    {
        var streams = await Task.WhenAll(Enumerable.Range(0, 6).Select(i => Open($"s{i}")));
        var (failed, mended) = (new CountdownEvent(streams.Length), new TaskCompletionSource());
        var begun = new CountdownEvent(streams.Length * 10);
        var writing = streams.Select(handle => Task.Run(() => Write(handle, begun, failed, mended.Task))).ToArray();
        Assert.True(await Task.Run(() => begun.Wait(s_answersWithin)), "Nothing was written.");
        await fail();
        // Each is refused once at least, and goes on to be until it is mended.
        Assert.True(await Task.Run(() => failed.Wait(s_answersWithin)), "A write was not answered.");
        await mend();
        mended.SetResult();
        var confirmed = await Task.WhenAll(writing);

        foreach (var (handle, seqs) in confirmed) Assert.Equal(seqs, await Stored(handle));
    }

    /// <summary>Writes as a stream's owner does until 20 are confirmed after the server was mended: what was refused
    /// is made void by reopening, and its numbers are not given again.</summary>
    private async Task<(LogHandle Handle, List<long> Confirmed)> Write(LogHandle handle, CountdownEvent begun,
        CountdownEvent failed, Task mended)
    {
        var confirmed = new List<long>();
        var (next, isFirst, left) = (1L, true, 20);
        while (left > 0)
        {
            if (await Confirms(handle, next, next + 1))
            {
                confirmed.AddRange([next, next + 1]);
                next += 2;
                if (confirmed.Count <= 20) begun.Signal();
                if (mended.IsCompleted) left--;
                continue;
            }
            if (isFirst) failed.Signal();
            isFirst = false;
            next += 10;
            handle = await Reopen(handle, confirmed.LastOrDefault(), next);
        }
        return (handle, confirmed);
    }

    private async Task<LogHandle> Reopen(LogHandle handle, long confirmed, long next)
    {
        var epoch = Interlocked.Increment(ref _epoch);
        while (true)
        {
            try
            {
                return await _log.Reopen(handle, epoch, confirmed, next);
            }
            catch (LogUnavailableException)
            {
                await Task.Delay(20);
            }
        }
    }

    private async Task<bool> Confirms(LogHandle handle, params long[] seqs)
    {
        var began = Stopwatch.StartNew();
        try
        {
            using var run = TestRuns.Of(seqs);
            await _log.Append(handle, [run], []);
            return true;
        }
        catch (LogUnavailableException)
        {
            Assert.InRange(began.Elapsed, TimeSpan.Zero, s_answersWithin);
            return false;
        }
    }

    private async Task<List<long>> Stored(LogHandle handle)
    {
        using var run = await _log.Read(handle.Id, 0, int.MaxValue, int.MaxValue);
        return [.. TestRuns.Seqs(run)];
    }

    private async Task<LogHandle> Open(string stream) =>
        (await _log.Open(stream, Interlocked.Increment(ref _epoch), create: true, 0))!.Handle;

    private async Task Set(string setting, string value)
    {
        await PostgresMachine.Execute(_machine.Connection, $"ALTER SYSTEM SET {setting} = {value}");
        await PostgresMachine.Execute(_machine.Connection, "SELECT pg_reload_conf()");
    }

    /// <summary>Takes every connection that the server has, those of the log from it.</summary>
    private static async Task TakeAll(NpgsqlDataSource source, Stack<NpgsqlConnection> taken)
    {
        while (true)
        {
            try
            {
                while (true) taken.Push(await source.OpenConnectionAsync());
            }
            catch (PostgresException full) when (full.SqlState == PostgresErrorCodes.TooManyConnections)
            {
            }
            await using var others = new NpgsqlCommand("""
                SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                WHERE application_name LIKE 'OrleansEvents%'
                """, taken.Peek());
            if (await others.ExecuteScalarAsync() is 0L) return;
        }
    }

    private static PostgresEventLog Begin(string connection) => PostgresEventLog.Start(new PostgresOptions
    {
        Connection = connection,
        StatementTimeout = TimeSpan.FromSeconds(1),
        CancelTimeout = TimeSpan.FromMilliseconds(200),
        ConnectTimeout = TimeSpan.FromSeconds(2),
    });
}
