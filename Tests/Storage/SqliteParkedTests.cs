using OrleansEvents.Storage.Sqlite;
using OrleansEvents.Streams;
using Xunit;

namespace OrleansEvents.Tests.Storage;

/// <summary>What the file does with parked events beyond what every log does.</summary>
public sealed class SqliteParkedTests : IDisposable
{
    private const int LargeFrame = 40_000;

    private readonly DataFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task What_was_parked_survives_a_restart_and_a_crash()
    {
        await using (var log = _folder.Start()) await Park(log, "s", 1, 2);
        await using var again = _folder.Start();
        Assert.Equal([1, 2], await Parked(again, "s"));
        await Park(again, "s", 3);

        using var crashed = _folder.CopyAsAfterCrash();
        await using var recovered = crashed.Start();
        Assert.Equal([1, 2, 3], await Parked(recovered, "s"));
        Assert.Equal(["orders"], await recovered.StreamsToWake());
    }

    [Fact]
    public async Task Frames_are_not_read_to_tell_what_is_owed_or_parked()
    {
        await using (var log = _folder.Start())
        {
            var handle = await Park(log, "s", 1, 2);
            using var alike = Large(1, 2, critical: false);
            using var alone = Large(3, 1, critical: true);
            using var mixed = Large(4, 2, critical: false);
            TestRuns.Add(mixed, 8, critical: true, LargeFrame);
            foreach (var run in new[] { alike, alone, mixed }) await log.Append(handle, [run], []);
        }
        await using (var log = _folder.Start())
        {
            // Behind the check of the start. All pages that frames go on in, with the numbers that chain them.
            Assert.InRange(DamageFrames(), 8 * LargeFrame / SqliteSchema.PageBytes - 16, int.MaxValue);
            var opened = await Open(log);
            Assert.Equal([1, 2], Assert.Single(opened.Subscribers).Parked.Select(mark => mark.Seq));
            Assert.Equal([3, 8], await Owed(all: false));
            Assert.Equal([1, 2, 3, 4, 5, 8], await Owed(all: true));
            await Assert.ThrowsAsync<LogUnavailableException>(() => log.ReadOwed(opened.Handle.Id, 0, true, true));
            await Assert.ThrowsAsync<LogUnavailableException>(() => Parked(log, "s"));

            async Task<IEnumerable<long>> Owed(bool all) =>
                (await log.ReadOwed(opened.Handle.Id, 0, all, types: false)).Select(mark => mark.Seq);
        }
    }

    [Fact]
    public async Task A_deleted_stream_leaves_nothing_parked_in_the_file()
    {
        await using (var log = _folder.Start())
        {
            LogHandle handle = default;
            for (var seq = 1; seq < 5000; seq += 1000)
                handle = await Park(log, "s", [.. Enumerable.Range(seq, 1000).Select(each => (long)each)]);
            await log.Delete(handle, 1);
            while (Rows("purges") > 0) await log.Probe();
        }
        Assert.Equal(0, Rows("parked"));
    }

    [Fact]
    public async Task A_damaged_table_of_parked_events_refuses_the_start()
    {
        await using (var log = _folder.Start()) await Park(log, "s", 1, 2);
        DamageFrames();
        var refusal = Assert.Throws<LogRefusedException>(() => _folder.Start());
        Assert.Contains("--repair", refusal.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Repairing_keeps_what_is_parked_with_all_that_belongs_to_it(bool withoutFirstPage)
    {
        await using (var log = _folder.Start())
        {
            await Park(log, "s", 1, 2);
            await Park(log, "t", 5);
        }
        if (withoutFirstPage) _folder.Overwrite(0, SqliteSchema.PageBytes);
        Assert.Equal(0, SqliteRepair.Run(_folder.Path, TimeProvider.System).RowsLost);

        await using var repaired = _folder.Start();
        Assert.Equal([1, 2], await Parked(repaired, "s"));
        Assert.Equal([5], await Parked(repaired, "t"));
        Assert.Equal(["orders"], await repaired.StreamsToWake());
        var subscribers = (await Open(repaired)).Subscribers;
        Assert.Equal([new(1, 70), new ParkedMark(2, 70)], subscribers[0].Parked);
        var page = await repaired.ReadParked((await Open(repaired)).Handle.Id, "s", 0, 9, int.MaxValue);
        page.Events.Dispose();
        Assert.Equal([1, 2], page.Notes.Select(note => note.Length));
    }

    [Theory]
    [InlineData("UPDATE parked SET parked = 71 WHERE seq = 2")]
    [InlineData("UPDATE parked SET subscriber = 't' WHERE seq = 2")]
    [InlineData("UPDATE parked SET stream = 2 WHERE seq = 2")]
    [InlineData("UPDATE parked SET seq = 4 WHERE seq = 2")]
    [InlineData("UPDATE parked SET note = x'0102' WHERE seq = 2")]
    [InlineData("UPDATE parked SET slot = zeroblob(40) WHERE seq = 2")]
    [InlineData("UPDATE parked SET slot = zeroblob(39) WHERE seq = 2")]
    [InlineData("UPDATE parked SET frame = zeroblob(length(frame)) WHERE seq = 2")]
    public async Task A_parked_event_that_is_not_as_it_was_written_is_lost_in_repair_and_nothing_else(string change)
    {
        await using (var log = _folder.Start())
        {
            await Park(log, "s", 1, 2, 3);
            await Park(log, "t", 9);
        }
        using (var database = SqliteDatabase.OpenReadWrite(_folder.File))
            Assert.Equal(1, database.Change(change));

        Assert.Equal(1, SqliteRepair.Run(_folder.Path, TimeProvider.System).RowsLost);
        await using var repaired = _folder.Start();
        Assert.Equal([1, 3], await Parked(repaired, "s"));
        Assert.Equal([9], await Parked(repaired, "t"));
    }

    [Fact]
    public async Task What_is_parked_for_a_subscriber_that_was_lost_is_counted_as_lost()
    {
        await using (var log = _folder.Start())
        {
            await Park(log, "s", 1, 2, 3);
            await Park(log, "t", 9);
        }
        using (var database = SqliteDatabase.OpenReadWrite(_folder.File))
            Assert.Equal(1, database.Change("UPDATE subscribers SET state = x'00' WHERE name = 's'"));

        Assert.Equal(4, SqliteRepair.Run(_folder.Path, TimeProvider.System).RowsLost);
        await using var repaired = _folder.Start();
        Assert.Empty(await Parked(repaired, "s"));
        Assert.Equal([9], await Parked(repaired, "t"));
    }

    private static async Task<LogHandle> Park(SqliteEventLog log, string subscriber, params long[] seqs)
    {
        var handle = (await Open(log)).Handle;
        using var run = new EventRun();
        foreach (var seq in seqs) TestRuns.Add(run, seq, critical: true, seqs.Length > 10 ? 64 : LargeFrame);
        var write = new SubscriberWrite(subscriber, new byte[3])
        {
            Wakes = true,
            Park = run,
            Notes = [.. seqs.Select(seq => (ReadOnlyMemory<byte>)new byte[seq % 8])],
            ParkedMs = 70,
        };
        await log.SaveSubscriber(handle, write);
        return handle;
    }

    private static EventRun Large(long first, int count, bool critical)
    {
        var run = new EventRun();
        for (var i = 0; i < count; i++) TestRuns.Add(run, first + i, critical, LargeFrame);
        return run;
    }

    /// <summary>Inverts every page that holds nothing but the middle of a frame.</summary>
    private int DamageFrames()
    {
        const int chain = 4;
        var damaged = 0;
        var bytes = File.ReadAllBytes(_folder.File);
        for (var at = 0; at < bytes.Length; at += SqliteSchema.PageBytes)
        {
            if (bytes.AsSpan(at + chain, SqliteSchema.PageBytes - chain).ContainsAnyExcept((byte)'.')) continue;
            _folder.Overwrite(at, SqliteSchema.PageBytes);
            damaged++;
        }
        return damaged;
    }

    private long Rows(string table)
    {
        using var database = SqliteDatabase.OpenReadWrite(_folder.File);
        return database.Number($"SELECT count(*) FROM {table}");
    }

    private static async Task<OpenedStream> Open(SqliteEventLog log) => (await log.Open("orders", 7, create: true, 0))!;

    private static async Task<IReadOnlyList<long>> Parked(SqliteEventLog log, string subscriber)
    {
        var page = await log.ReadParked((await Open(log)).Handle.Id, subscriber, 0, 10, int.MaxValue);
        using var events = page.Events;
        Assert.True(TestRuns.FramesAreRight(events));
        return TestRuns.Seqs(events);
    }
}
