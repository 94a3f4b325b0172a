using OrleansEvents.Storage.Sqlite;
using OrleansEvents.Streams;
using Xunit;

namespace OrleansEvents.Tests.Storage;

/// <summary>A file that the first version of the schema wrote is upgraded at start, whole or not at all.</summary>
public sealed class SqliteUpgradeTests : IDisposable
{
    private const int Streams = 20;
    private const int Events = 30;

    private readonly DataFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task A_file_of_the_first_schema_is_upgraded_with_everything_kept()
    {
        await MakeOld();
        await using (var log = _folder.Start())
        {
            Assert.Contains("schema 2 (upgraded from 1), checked", log.Found, StringComparison.Ordinal);
            await CheckKept(log);
        }
        await using (var log = _folder.Start())
        {
            Assert.Contains("schema 2, checked", log.Found, StringComparison.Ordinal);
            Assert.Equal([8], await Parked(log, 7));
            Assert.Equal([8], (await Open(log, 7)).Subscribers[0].Parked.Select(mark => mark.Seq));
            Assert.Equal(Streams, (await log.StreamsToWake()).Count);
        }
    }

    [Fact]
    public async Task A_crash_anywhere_in_the_upgrade_leaves_a_file_that_is_upgraded_at_the_next_start()
    {
        await MakeOld();
        var statements = SqliteSchema.StepFrom(1).TrimEnd().Split(';');
        Assert.InRange(statements.Length, 7, 20);
        for (var done = 1; done < statements.Length; done++)
        {
            using var crashed = CrashAfter(string.Join(';', statements[..done]));
            await using var log = crashed.Start();
            var was = done < statements.Length - 1 ? "schema 2 (upgraded from 1)" : "schema 2, checked";
            Assert.Contains(was, log.Found, StringComparison.Ordinal);
            await CheckKept(log);
        }
    }

    [Fact]
    public async Task A_file_of_the_first_schema_is_repaired_into_one_of_this()
    {
        await MakeOld();
        await CheckRepaired();
    }

    [Fact]
    public async Task A_file_of_the_first_schema_is_repaired_without_its_first_page()
    {
        await MakeOld();
        _folder.Overwrite(0, SqliteSchema.PageBytes);
        await CheckRepaired();
    }

    [Fact]
    public async Task An_upgraded_file_is_repaired_without_its_first_page_and_what_is_parked_kept()
    {
        await MakeOld();
        await using (var log = _folder.Start()) await CheckKept(log);
        _folder.Overwrite(0, SqliteSchema.PageBytes);

        Assert.Equal(0, SqliteRepair.Run(_folder.Path, TimeProvider.System).RowsLost);
        await using var repaired = _folder.Start();
        for (var i = 0; i < Streams; i++) Assert.Equal([i + 1], await Parked(repaired, i));
        Assert.Equal(Streams, (await repaired.StreamsToWake()).Count);
    }

    private async Task CheckRepaired()
    {
        var summary = SqliteRepair.Run(_folder.Path, TimeProvider.System);
        Assert.Equal((Streams, Streams * Events, 0L), (summary.Streams, summary.Events, summary.RowsLost));
        await using var log = _folder.Start();
        await CheckKept(log);
    }

    /// <summary>The folder as it is, but for these statements on it and the process's end.</summary>
    private DataFolder CrashAfter(string statements)
    {
        using var working = new DataFolder();
        File.Copy(_folder.File, working.File);
        using var database = SqliteDatabase.OpenReadWrite(working.File);
        // So that what is not committed lies in the files too.
        database.Execute("PRAGMA cache_size=1; PRAGMA cache_spill=1");
        database.Execute(statements);
        return working.CopyAsAfterCrash();
    }

    private async Task MakeOld()
    {
        await using (var log = _folder.Start())
        {
            for (var i = 0; i < Streams; i++)
            {
                var handle = (await Open(log, i)).Handle;
                await log.SaveSettings(handle, "{}", 1);
                await log.SaveSubscriber(handle, new SubscriberWrite("s", new[] { (byte)i }));
                for (var seq = 1L; seq <= Events; seq++)
                {
                    using var run = TestRuns.Of(seq);
                    await log.Append(handle, [run], seq == 1 ? [new LogKey("k", 1, 1, 1, long.MaxValue)] : []);
                }
                using var ring = TestRuns.Of(Events - 1, Events);
                await log.Close(handle, new GracefulClose(Events, 0, ring));
            }
            await log.Delete((await Open(log, Streams)).Handle, 5);
        }
        OldFile.Make(_folder);
    }

    /// <summary>All is there, and parking works.</summary>
    private static async Task CheckKept(SqliteEventLog log)
    {
        Assert.Equal(Streams, (await log.List("", null, 100)).Count);
        Assert.True(await log.IsDeleted($"s{Streams}"));
        Assert.Empty(await log.StreamsToWake());
        for (var i = 0; i < Streams; i++)
        {
            var opened = await Open(log, i);
            Assert.Equal((Events, 2), ((int)opened.Closed!.End, opened.Closed.Ring.Count));
            Assert.Equal(("{}", 1L), (opened.Settings, opened.DurableSince));
            Assert.Equal("k", Assert.Single(opened.Keys).Key);
            var subscriber = Assert.Single(opened.Subscribers);
            Assert.Equal([(byte)i], subscriber.State.ToArray());
            Assert.Empty(subscriber.Parked);
            using var stored = await log.Read(opened.Handle.Id, 0, int.MaxValue, int.MaxValue);
            Assert.True(stored.Count == Events && TestRuns.FramesAreRight(stored));
            using var park = TestRuns.Of(i + 1);
            var write = new SubscriberWrite("s", new byte[2]) { Wakes = true, Park = park, Notes = [new byte[3]] };
            await log.SaveSubscriber(opened.Handle, write);
            Assert.Equal([i + 1], await Parked(log, i));
        }
    }

    private static async Task<OpenedStream> Open(SqliteEventLog log, int stream) =>
        (await log.Open($"s{stream}", 42, create: true, 0))!;

    private static async Task<IReadOnlyList<long>> Parked(SqliteEventLog log, int stream)
    {
        var page = await log.ReadParked((await Open(log, stream)).Handle.Id, "s", 0, 10, int.MaxValue);
        using var events = page.Events;
        Assert.True(TestRuns.FramesAreRight(events));
        return TestRuns.Seqs(events);
    }
}
