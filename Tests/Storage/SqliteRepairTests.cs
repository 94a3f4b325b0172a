using OrleansEvents.Storage.Sqlite;
using OrleansEvents.Streams;
using Xunit;

namespace OrleansEvents.Tests.Storage;

public sealed class SqliteRepairTests : IDisposable
{
    private const int Streams = 20;
    private const int Events = 300;

    private readonly DataFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Where_nothing_is_there_is_nothing_to_repair()
    {
        Assert.Null(Repair().Aside);
        Assert.False(File.Exists(_folder.File));
    }

    [Fact]
    public async Task Of_a_whole_file_everything_is_kept_and_graceful_closes_too()
    {
        await Fill();
        var summary = Repair();

        Assert.Equal((Streams, Streams * Events, 0L), (summary.Streams, summary.Events, summary.RowsLost));
        Assert.True(File.Exists(Path.Combine(_folder.Path, summary.Aside!)));
        await using var log = _folder.Start();
        var opened = await Open(log, 3);
        Assert.Equal(Events, opened.Closed?.End);
        Assert.Equal(2, opened.Closed?.Ring.Count);
        Assert.Equal("{}", opened.Settings);
        Assert.Equal("k", Assert.Single(opened.Keys).Key);
        Assert.Equal([3], Assert.Single(opened.Subscribers).State.ToArray());
        Assert.Equal(1, opened.DurableSince);
        Assert.Equal(Events, (await Stored(log, opened)).Count);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(16)]
    public async Task What_only_the_write_ahead_log_has_is_kept(int damagedBytes)
    {
        await using var log = _folder.Start();
        await Fill(log);
        using var crashed = _folder.CopyAsAfterCrash();
        crashed.Overwrite(0, damagedBytes);

        var summary = SqliteRepair.Run(crashed.Path, TimeProvider.System);
        Assert.Equal((Streams, Streams * Events), (summary.Streams, summary.Events));
        await using var repaired = crashed.Start();
        Assert.Equal(Events, (await Stored(repaired, await Open(repaired, 7))).Count);
    }

    [Theory]
    [InlineData(100)]
    [InlineData(4096)]
    public async Task A_lost_first_page_costs_nothing(int bytes)
    {
        await Fill();
        _folder.Overwrite(0, bytes);
        var summary = Repair();
        Assert.Equal((Streams, Streams * Events, 0L), (summary.Streams, summary.Events, summary.RowsLost));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    public async Task Around_damaged_pages_the_rest_is_kept_in_order_and_continuity_is_given_up(int seed)
    {
        await Fill();
        var random = new Random(seed);
        var pages = (int)(new FileInfo(_folder.File).Length / SqliteSchema.PageBytes);
        for (var i = 0; i < 5; i++)
            _folder.Overwrite(random.Next(20, pages) * (long)SqliteSchema.PageBytes, SqliteSchema.PageBytes);

        var summary = Repair();
        Assert.InRange(summary.Events, Streams * Events / 4, Streams * Events - 1);
        Assert.InRange(summary.RowsLost, 1, Streams * Events);
        Assert.Contains($"{summary.RowsLost} rows lost", summary.ToString(), StringComparison.Ordinal);

        await using var log = _folder.Start();
        var kept = 0L;
        foreach (var stream in await log.List("", null, Streams))
        {
            var opened = (await log.Open(stream.Name, 99, create: false, 0))!;
            Assert.Null(opened.Closed);
            Assert.False(opened.Epochs[^2].Graceful);
            Assert.True(opened.DurableSince is null or > Events);
            var stored = await Stored(log, opened);
            Assert.Equal(stored.Order(), stored);
            kept += stored.Count;
        }
        Assert.Equal(summary.Events, kept);
    }

    [Fact]
    public async Task A_flipped_bit_reaches_no_reader_and_its_row_is_lost_in_repair()
    {
        await Fill();
        var bytes = await File.ReadAllBytesAsync(_folder.File);
        var at = bytes.AsSpan().IndexOf("id: 150 "u8);
        _folder.Overwrite(at + 30, 1);

        await using (var log = _folder.Start())
        {
            var page = await Assert.ThrowsAsync<LogUnavailableException>(() => ReadAll(log));
            Assert.Contains("--repair", page.Message, StringComparison.Ordinal);
            Assert.Contains("checksum", log.Failure, StringComparison.Ordinal);
        }
        var summary = Repair();
        Assert.Equal((Streams * Events - 1, 1L), (summary.Events, summary.RowsLost));
        await using (var log = _folder.Start()) await ReadAll(log);
    }

    [Fact]
    public async Task An_interrupted_repair_is_not_started_on_and_can_be_done_again()
    {
        await Fill();
        File.Move(_folder.File, _folder.File + ".damaged-20260101T000000Z");
        Assert.Contains("--repair", Assert.Throws<LogRefusedException>(() => _folder.Start()).Message,
            StringComparison.Ordinal);
        Assert.Equal(Streams * Events, Repair().Events);
        await using (_folder.Start()) { }
    }

    private RepairSummary Repair() => SqliteRepair.Run(_folder.Path, TimeProvider.System);

    private async Task Fill()
    {
        await using var log = _folder.Start();
        await Fill(log);
    }

    private static async Task Fill(SqliteEventLog log)
    {
        await Task.WhenAll(Enumerable.Range(0, Streams).Select(async i =>
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
        }));
    }

    private static async Task<OpenedStream> Open(SqliteEventLog log, int stream) =>
        (await log.Open($"s{stream}", 42, create: true, 0))!;

    private static async Task<IReadOnlyList<long>> Stored(SqliteEventLog log, OpenedStream opened)
    {
        using var run = await log.Read(opened.Handle.Id, 0, int.MaxValue, int.MaxValue);
        Assert.True(TestRuns.FramesAreRight(run));
        return TestRuns.Seqs(run);
    }

    private static async Task ReadAll(SqliteEventLog log)
    {
        for (var i = 0; i < Streams; i++) await Stored(log, await Open(log, i));
    }
}
