using OrleansEvents.Storage.Sqlite;
using OrleansEvents.Streams;
using Xunit;

namespace OrleansEvents.Tests.Storage;

public sealed class SqliteStartTests : IDisposable
{
    private readonly DataFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task A_folder_in_use_is_refused_by_name_and_free_again_afterwards()
    {
        await using (_folder.Start()) Assert.Contains($"{_folder.Path} is in use", Refusal(), StringComparison.Ordinal);
        await using (_folder.Start()) { }
    }

    [Fact]
    public async Task The_folder_is_made_and_may_hold_other_files()
    {
        var options = new SqliteOptions { Folder = Path.Combine(_folder.Path, "a", "b") };
        await using (SqliteEventLog.Start(options, TimeProvider.System)) { }
        await File.WriteAllTextAsync(Path.Combine(_folder.Path, "notes.txt"), "mine");
        await using (_folder.Start()) { }
        Assert.Equal("mine", await File.ReadAllTextAsync(Path.Combine(_folder.Path, "notes.txt")));
    }

    [Fact]
    public async Task What_was_found_is_said_in_one_line()
    {
        await using (var log = _folder.Start())
        {
            Assert.Contains("made new, schema 2", log.Found, StringComparison.Ordinal);
            await log.Open("orders", 1, create: true, 0);
        }
        await using (var log = _folder.Start())
        {
            Assert.Contains("1 streams", log.Found, StringComparison.Ordinal);
            Assert.Contains("no damage", log.Found, StringComparison.Ordinal);
            Assert.DoesNotContain('\n', log.Found);
        }
    }

    [Fact]
    public async Task A_check_that_takes_too_long_is_ended_and_says_so()
    {
        await Fill(300);
        var options = _folder.Options with { CheckLimit = TimeSpan.FromTicks(-1) };
        await using var log = SqliteEventLog.Start(options, TimeProvider.System);
        Assert.Contains("checked in part", log.Found, StringComparison.Ordinal);
    }

    [Fact]
    public void A_folder_that_cannot_be_made_is_refused()
    {
        var file = Path.Combine(_folder.Path, "file");
        File.WriteAllText(file, "");
        var options = new SqliteOptions { Folder = Path.Combine(file, "data") };
        var refusal = Assert.Throws<LogRefusedException>(() => SqliteEventLog.Start(options, TimeProvider.System));
        Assert.Contains(options.Folder, refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_newer_schema_is_refused_also_by_repair_and_left_as_it_is()
    {
        await using (_folder.Start()) { }
        using (var database = SqliteDatabase.OpenReadWrite(_folder.File))
            database.Execute($"PRAGMA user_version={SqliteSchema.Version + 1}");

        Assert.Contains("newer version", Refusal(), StringComparison.Ordinal);
        Assert.Throws<LogRefusedException>(() => SqliteRepair.Run(_folder.Path, TimeProvider.System));
        Assert.Contains("newer version", Refusal(), StringComparison.Ordinal);
    }

    [Fact]
    public void The_database_of_another_program_is_refused_also_by_repair()
    {
        using (var database = SqliteDatabase.Create(_folder.File)) database.Execute("CREATE TABLE theirs(x)");
        Assert.Contains("another program", Refusal(), StringComparison.Ordinal);
        Assert.Throws<LogRefusedException>(() => SqliteRepair.Run(_folder.Path, TimeProvider.System));
        Assert.True(File.Exists(_folder.File));
    }

    [Theory]
    [InlineData("empty")]
    [InlineData("no database")]
    [InlineData("header")]
    [InlineData("torn")]
    [InlineData("middle")]
    [InlineData("missing")]
    public async Task A_damaged_file_is_refused_in_one_line_and_never_begun_anew(string damage)
    {
        await Fill(2000);
        Damage(damage);
        var before = File.Exists(_folder.File) ? await File.ReadAllBytesAsync(_folder.File) : null;

        var refusal = Refusal();
        Assert.Contains("--repair", refusal, StringComparison.Ordinal);
        Assert.Contains(_folder.File, refusal, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', refusal);
        Assert.Equal(before?.Length, File.Exists(_folder.File) ? (int)new FileInfo(_folder.File).Length : null);
        Assert.Equal(refusal, Refusal());
    }

    private string Refusal() => Assert.Throws<LogRefusedException>(() => _folder.Start()).Message;

    private async Task Fill(int events)
    {
        await using var log = _folder.Start();
        var handle = (await log.Open("orders", 1, create: true, 0))!.Handle;
        await Task.WhenAll(Enumerable.Range(1, events).Select(async seq =>
        {
            using var run = TestRuns.Of(seq);
            await log.Append(handle, [run], []);
        }));
    }

    private void Damage(string damage)
    {
        switch (damage)
        {
            case "empty": File.WriteAllBytes(_folder.File, []); break;
            case "no database": File.WriteAllText(_folder.File, "This is a text."); break;
            case "header": _folder.Overwrite(0, 100); break;
            case "torn": _folder.Cut(new FileInfo(_folder.File).Length / 2 + 100); break;
            case "middle": _folder.Overwrite(new FileInfo(_folder.File).Length / 2 / 4096 * 4096, 4096); break;
            case "missing": File.Move(_folder.File, _folder.File + "-wal"); break;
            default: throw new ArgumentException(damage);
        }
    }
}
