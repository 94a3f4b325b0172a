using Npgsql;
using OrleansEvents.Storage.Postgres;
using OrleansEvents.Streams;
using Xunit;

namespace OrleansEvents.Tests.Storage;

/// <summary>What is PostgreSQL's own: groups, fences that hold against a process that was stopped, failures.</summary>
public sealed class PostgresLogTests(PostgresServer server) : PostgresLogOnSchema(server)
{
    private ulong _epoch;

    [Fact]
    public async Task All_appends_that_wait_for_a_writer_are_one_transaction_over_all_streams()
    {
        var handles = await Task.WhenAll(Enumerable.Range(0, 40).Select(i => Open($"s{i}")));
        // Both writers are stopped at a row that somebody else holds.
        var (even, odd) = (handles.First(each => each.Epoch % 2 == 0), handles.First(each => each.Epoch % 2 == 1));
        await using var holder = await HoldOwners();
        var stopped = new[] { Append(even, 1), Append(odd, 1) };
        await UntilWaiting(2);
        var waiting = handles.SelectMany(handle => new long[] { 2, 3, 4 }.Select(seq => Append(handle, seq))).ToArray();
        await holder.Rollback();
        await Task.WhenAll([.. stopped, .. waiting]);

        // A row says which transaction wrote it.
        Assert.Equal(4L, await PostgresServer.Execute(Options, "SELECT count(DISTINCT xmin::text) FROM runs"));
        Assert.Equal(122L, await PostgresServer.Execute(Options, "SELECT count(*) FROM runs"));
    }

    [Fact]
    public async Task Writes_of_one_stream_keep_their_order_when_others_of_their_kind_go_ahead()
    {
        var (handle, other) = (await Open("orders"), await Open("other"));
        await using var holder = await HoldOwners();
        var stopped = new[] { Append(handle, 1), Append(other, 1) };
        await UntilWaiting(2);
        var before = Append(handle, 2);
        using var ring = new EventRun();
        var closing = Log.Close(handle, new GracefulClose(2, 0, ring));
        var after = Append(handle, 3);
        await holder.Rollback();

        await Task.WhenAll([.. stopped, before, closing]);
        await Assert.ThrowsAsync<LogFencedException>(() => after);
    }

    [Fact]
    public async Task An_append_that_was_under_way_when_another_opened_the_stream_is_refused()
    {
        var old = await Open("orders");
        await Append(old, 1);
        await using var holder = await HoldOwners();
        var late = Append(old, 2);
        await UntilWaiting(1);
        await holder.Run($"UPDATE streams SET epoch = 4711 WHERE id = {old.Id}");
        await holder.Commit();

        await Assert.ThrowsAsync<LogFencedException>(() => late);
        using var stored = await Log.Read(old.Id, 0, 10, int.MaxValue);
        Assert.Equal([1], TestRuns.Seqs(stored));
    }

    [Fact]
    public async Task Reopening_deletes_what_an_append_writes_that_is_still_under_way()
    {
        var handle = await Open("orders");
        await Append(handle, 1);
        // As after a broken connection: the server still works on what this process has given up.
        await using var zombie = await Hold();
        await zombie.Run("SELECT id FROM owners FOR SHARE");
        await zombie.Run($"""
            INSERT INTO runs(stream, first, last, appended, count, critical, bytes, slots, frames)
            SELECT stream, 2, 2, appended, count, critical, bytes, slots, frames FROM runs WHERE stream = {handle.Id}
            """);
        var reopening = Log.Reopen(handle, ++_epoch, confirmed: 1, next: 10);
        await UntilWaiting(1);
        await zombie.Commit();
        await reopening;

        Assert.Equal(1L, await PostgresServer.Execute(Options, "SELECT count(*) FROM runs"));
    }

    [Fact]
    public async Task Numbers_that_are_stored_are_refused_whatever_their_writer_knows()
    {
        var handle = await Open("orders");
        await Append(handle, 1, 2);
        await PostgresServer.Execute(Options, "UPDATE runs SET first = 3, last = 4");
        await Assert.ThrowsAsync<LogUnavailableException>(() => Append(handle, 3));
        await Append(await Open("other"), 1);
    }

    [Fact]
    public async Task A_write_that_cannot_be_done_fails_alone()
    {
        var handle = await Open("orders");
        var other = await Open("other");
        await using var holder = await Hold(handle.Id, other.Id);
        var stopped = new[] { Save(handle, "a"), Save(other, "a") };
        await UntilWaiting(2);
        var before = Save(handle, "b");
        var failing = Save(handle, "\0");
        var after = Save(other, "c");
        await holder.Rollback();

        await Task.WhenAll([.. stopped, before, after]);
        await Assert.ThrowsAsync<LogUnavailableException>(() => failing);
    }

    [Fact]
    public async Task A_lost_connection_fails_the_write_and_not_the_next()
    {
        var handle = await Open("orders");
        await using (var holder = await HoldOwners())
        {
            var lost = Append(handle, 1);
            await UntilWaiting(1);
            await PostgresServer.Execute(Options, $"""
                SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE wait_event_type = 'Lock'
                    AND pid IN (SELECT pid FROM pg_locks WHERE relation = '{Schema}.owners'::regclass)
                """);
            await Assert.ThrowsAsync<LogUnavailableException>(() => lost);
            await holder.Rollback();
        }
        await Append(handle, 1);
        await Log.Probe();
    }

    [Fact]
    public async Task Closing_commits_what_waits_and_refuses_what_comes_after()
    {
        var handle = await Open("orders");
        var writes = Enumerable.Range(1, 100).Select(seq => Append(handle, seq)).ToArray();
        await Log.DisposeAsync();
        await Task.WhenAll(writes);
        await Assert.ThrowsAsync<LogUnavailableException>(() => Append(handle, 101));
        await Assert.ThrowsAsync<LogUnavailableException>(() => Log.Read(handle.Id, 0, 1, 1));
    }

    [Fact]
    public async Task Much_is_deleted_in_parts_and_all_of_it()
    {
        var (trimmed, deleted) = (await Open("trimmed"), await Open("deleted"));
        foreach (var handle in new[] { trimmed, deleted })
            await Task.WhenAll(Enumerable.Range(1, 2500).Select(seq => Append(handle, seq)));
        await Log.Trim(trimmed, 2499, 0);
        using (var run = await Log.Read(trimmed.Id, 0, 10, int.MaxValue)) Assert.Equal(2500, run.First);

        await Log.Delete(deleted, 0);
        await Until("SELECT count(*) FROM purges", 0);
        Assert.Equal(1L, await PostgresServer.Execute(Options, "SELECT count(*) FROM runs"));
    }

    [Fact]
    public async Task Servers_that_start_together_make_the_tables_once()
    {
        var options = await Server.NewSchema();
        var logs = await Task.WhenAll(Enumerable.Range(0, 6).Select(_ =>
            Task.Factory.StartNew(() => PostgresEventLog.Start(options), TaskCreationOptions.LongRunning)));
        Assert.Single(logs, log => log.Found.EndsWith("made now", StringComparison.Ordinal));
        foreach (var log in logs) await log.DisposeAsync();
        await PostgresServer.Drop(options);
    }

    [Fact]
    public async Task Tables_of_a_newer_version_are_refused()
    {
        await PostgresServer.Execute(Options, "INSERT INTO versions VALUES(99)");
        var refused = Assert.Throws<LogRefusedException>(() => PostgresEventLog.Start(Options));
        Assert.StartsWith("The database has version 99", refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Host=127.0.0.1;Port=1;Username=x")]
    [InlineData("Username=x")]
    [InlineData("Host=127.0.0.1;Bogus=1")]
    [InlineData("Host=127.0.0.1;Search Path=a,b")]
    public void What_is_no_database_is_refused_with_one_line(string connection)
    {
        var refused = Assert.Throws<LogRefusedException>(() =>
            PostgresEventLog.Start(new PostgresOptions { Connection = connection }));
        Assert.DoesNotContain('\n', refused.Message);
    }

    private string Schema => new NpgsqlConnectionStringBuilder(Options.Connection).SearchPath!;

    private async Task<LogHandle> Open(string stream) =>
        (await Log.Open(stream, Interlocked.Increment(ref _epoch), create: true, 0))!.Handle;

    private async Task Append(LogHandle handle, params long[] seqs)
    {
        using var run = TestRuns.Of(seqs);
        await Log.Append(handle, [run], []);
    }

    private Task Save(LogHandle handle, string subscriber) =>
        Log.SaveSubscriber(handle, new SubscriberWrite(subscriber, new byte[1]));

    private Task UntilWaiting(int writers) => Until($"""
        SELECT count(DISTINCT pid) FROM pg_stat_activity JOIN pg_locks USING (pid)
        WHERE wait_event_type = 'Lock' AND relation IN ('{Schema}.streams'::regclass, '{Schema}.owners'::regclass)
        """, writers);

    private async Task Until(string sql, long answer)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        while (await PostgresServer.Execute(Options, sql) is not long found || found != answer)
            await Task.Delay(10, limit.Token);
    }

    /// <summary>A transaction of somebody else that holds the rows of streams.</summary>
    private async Task<Holder> Hold(params long[] ids)
    {
        var holder = await Holder.Begin(Options);
        foreach (var id in ids) await holder.Run($"SELECT id FROM streams WHERE id = {id} FOR UPDATE");
        return holder;
    }

    /// <summary>The same that holds the writers' rows: no append goes on.</summary>
    private async Task<Holder> HoldOwners()
    {
        var holder = await Hold();
        await holder.Run("SELECT id FROM owners FOR UPDATE");
        return holder;
    }

    private sealed class Holder(NpgsqlDataSource source, NpgsqlConnection connection, NpgsqlTransaction transaction)
        : IAsyncDisposable
    {
        public static async Task<Holder> Begin(PostgresOptions options)
        {
            var source = NpgsqlDataSource.Create(options.Connection);
            var connection = await source.OpenConnectionAsync();
            return new Holder(source, connection, await connection.BeginTransactionAsync());
        }

        public async Task Run(string sql)
        {
            await using var command = new NpgsqlCommand(sql, connection, transaction);
            await command.ExecuteNonQueryAsync();
        }

        public Task Commit() => transaction.CommitAsync();

        public Task Rollback() => transaction.RollbackAsync();

        public async ValueTask DisposeAsync()
        {
            await connection.DisposeAsync();
            await source.DisposeAsync();
        }
    }
}
