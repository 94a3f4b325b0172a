using OrleansEvents.Storage;
using OrleansEvents.Storage.Postgres;
using OrleansEvents.Streams;
using Xunit;

namespace OrleansEvents.Tests.Storage;

/// <summary>Tables of the version before, and servers of the version before on the tables of this one, as in a rolling
/// upgrade: what they wrote and write counts, and they are fenced and fence as ever.</summary>
public sealed class PostgresUpgradeTests(PostgresServer server) : PostgresLogOnSchema(server)
{
    private const string ToVersion2 = """
        DROP TRIGGER taken_as_before ON streams;
        DROP FUNCTION taken_as_before;
        DROP FUNCTION unpack_keys;
        DROP TABLE owners, kept_keys;
        ALTER TABLE streams DROP COLUMN owner, DROP COLUMN openings;
        ALTER TABLE runs DROP COLUMN keys_until, DROP COLUMN keys;
        DELETE FROM versions WHERE version = 3
        """;

    private ulong _epoch;

    [Fact]
    public async Task Events_and_keys_of_the_version_before_are_kept()
    {
        var handle = await Open();
        await Append(handle, 1, key: null);
        await Log.DisposeAsync();
        await Run(ToVersion2);
        await Run($"INSERT INTO keys VALUES({handle.Id}, 1, 5000, 7, '\\x{new string('0', 32)}', 'old'::bytea)");

        Log = PostgresEventLog.Start(Options);
        Assert.EndsWith("taken from version 2 to 3", Log.Found, StringComparison.Ordinal);
        var opened = (await Log.Open("orders", ++_epoch, create: false, 0))!;
        Assert.Equal(1, Assert.Single(opened.Extents).First);
        Assert.Equal(new LogKey("old", 0, 7, 1, 5000), Assert.Single(opened.Keys));
        await Append(opened.Handle, opened.Epochs[^1].First, "new");
        Assert.Equal(["old", "new"], (await Log.Open("orders", ++_epoch, false, 0))!.Keys.Select(key => key.Key));
    }

    [Fact]
    public async Task A_server_of_the_version_before_that_takes_a_stream_fences_its_owner_and_is_given_the_keys()
    {
        var handle = await Open();
        await Append(handle, 1, "ä/1");
        await Append(handle, 2, "trimmed");
        await Append(handle, 3, "k3");
        await Log.Trim(handle, 2, 0);
        await TakeAsBefore(handle, 4711);

        await Assert.ThrowsAsync<LogFencedException>(() => Append(handle, 4, key: null));
        Assert.Equal(3L, await Run($"""
            SELECT count(*) FROM keys WHERE stream = {handle.Id} AND expires = 9000 AND hash = '\x{KeyHash}'
                AND (seq, convert_from(key, 'UTF8')) IN ((1, 'ä/1'), (2, 'trimmed'), (3, 'k3'))
            """));
        // Another stream of the same writer goes on.
        var other = await Open("other");
        await Append(other, 1, key: null);
    }

    [Fact]
    public async Task What_a_server_of_the_version_before_wrote_meanwhile_counts()
    {
        var handle = await Open();
        await Append(handle, 1, "again");
        await TakeAsBefore(handle, 4711);
        Assert.Equal(1L, await AppendAsBefore(handle.Id, 4711, 200, "again"));
        var opened = (await Log.Open("orders", ++_epoch, create: false, 0))!;
        Assert.Equal(0L, await AppendAsBefore(handle.Id, 4711, 300, "late"));

        Assert.Equal([1, 200], opened.Extents.Select(each => each.First));
        Assert.Equal(200, Assert.Single(opened.Keys).Seq);
        await Append(opened.Handle, opened.Epochs[^1].First, key: null);
    }

    private const string KeyHash = "2a000000000000000000000000000000";

    private async Task<LogHandle> Open(string stream = "orders") =>
        (await Log.Open(stream, ++_epoch, create: true, 0))!.Handle;

    private async Task Append(LogHandle handle, long seq, string? key)
    {
        using var run = TestRuns.Of(seq);
        await Log.Append(handle, [run], key is null ? [] : [new LogKey(key, 42, handle.Epoch, seq, 9000)]);
    }

    /// <summary>As that version opens what was not closed.</summary>
    private Task<object?> TakeAsBefore(LogHandle handle, ulong epoch)
    {
        var epochs = EpochBlob.Write(EpochHistory.Next(EpochHistory.Begin(handle.Epoch, 1), epoch, null, 100));
        return Run($"""
            UPDATE streams s SET epoch = {epoch}, reserved = reserved + 100, epochs = '\x{Convert.ToHexString(epochs)}',
                close_end = NULL, close_floor = NULL
            WHERE s.id = {handle.Id} AND s.epoch = {handle.Epoch} AND s.deleted IS NULL
            """);
    }

    private Task<object?> AppendAsBefore(long id, long epoch, long seq, string key) => Run($"""
        WITH held AS (
            UPDATE streams s SET stored = {seq}
            WHERE s.id = {id} AND s.epoch = {epoch} AND s.deleted IS NULL AND s.close_end IS NULL AND s.stored < {seq}
            RETURNING s.id),
        kept AS (
            INSERT INTO runs(stream, first, last, appended, count, critical, bytes, slots, frames)
            SELECT held.id, {seq}, {seq}, appended, count, critical, bytes, slots, frames
            FROM held JOIN runs ON runs.stream = held.id AND first = 1),
        keyed AS (
            INSERT INTO keys(stream, seq, expires, epoch, hash, key)
            SELECT held.id, {seq}, 9000, {epoch}, '\x{KeyHash}', '{key}'::bytea FROM held
            ON CONFLICT (stream, key) DO UPDATE SET seq = excluded.seq, expires = excluded.expires,
                epoch = excluded.epoch, hash = excluded.hash)
        SELECT count(*) FROM held
        """);

    private Task<object?> Run(string sql) => PostgresServer.Execute(Options, sql);
}
