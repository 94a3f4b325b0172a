using System.Buffers.Binary;
using System.Text.Json;
using OrleansEvents.Tests.Storage;
using Xunit;

namespace OrleansEvents.Tests.Crash;

/// <summary>A data folder that cannot be used: exit code 2 and one line, nothing changed; and the way out.</summary>
[Collection("Processes")]
public sealed class StartRefusalTests : IDisposable
{
    private const int Count = 300;
    private static readonly string s_padding = new('x', 2_000);
    private readonly DataFolder _folder = new();
    private readonly HttpClient _http = EventsHttp.NewClient();

    public void Dispose()
    {
        _http.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public async Task A_folder_in_use_is_refused_and_its_owner_goes_on()
    {
        await using var owner = await ServerProcess.StartAsync(_folder.Path);
        await AssertRefused(_folder.Path, "is in use by another process");
        Assert.True((await _http.GetAsync(owner.Address, "/readyz")).IsSuccess);
    }

    [Fact]
    public async Task A_folder_that_cannot_be_made_is_refused()
    {
        var file = Path.Combine(_folder.Path, "file");
        await File.WriteAllTextAsync(file, "in the way");
        await AssertRefused(Path.Combine(file, "data"), "cannot be made");
    }

    [Fact]
    public async Task A_folder_that_is_not_writable_is_refused()
    {
        // Not even an administrator makes files here.
        const string ReadOnly = "/proc";
        Assert.SkipUnless(Directory.Exists(ReadOnly), "There is no folder that is read-only for everybody.");
        await AssertRefused(ReadOnly, "is not writable");
    }

    [Fact]
    public async Task A_newer_schema_is_refused_and_left_alone()
    {
        const int UserVersionAt = 60;
        await Fill();
        await ChangeFile(bytes => BinaryPrimitives.WriteInt32BigEndian(bytes.AsSpan(UserVersionAt), 1_000));
        var before = await File.ReadAllBytesAsync(_folder.File);
        await AssertRefused(_folder.Path, "newer version of OrleansEvents");
        await AssertRefused(_folder.Path, "newer version of OrleansEvents", "--repair");
        Assert.Equal(before, await File.ReadAllBytesAsync(_folder.File));
    }

    [Theory]
    [InlineData("overwritten")]
    [InlineData("cut off")]
    [InlineData("not a database")]
    public async Task A_damaged_file_is_refused_and_repair_keeps_what_is_readable(string damage)
    {
        await Fill();
        await ChangeFile(bytes => Damage(bytes, damage));
        var before = await File.ReadAllBytesAsync(_folder.File);
        await AssertRefused(_folder.Path, "Start with --repair to keep what is readable");
        Assert.Equal(before, await File.ReadAllBytesAsync(_folder.File));

        await using (var repaired = await ServerProcess.StartAsync(_folder.Path, "--repair"))
            await AssertWorks(repaired);
        Assert.Contains(Directory.GetFiles(_folder.Path),
            file => File.ReadAllBytes(file).AsSpan().SequenceEqual(before));
        await using var again = await ServerProcess.StartAsync(_folder.Path);
        await AssertWorks(again);

        async Task AssertWorks(ServerProcess server)
        {
            var kept = (await Numbers(server)).ToArray();
            Assert.Equal(kept.Order().Distinct(), kept);
            if (damage == "overwritten") Assert.InRange(kept.Count(n => n <= Count), Count / 2, Count - 1);
            var answer = await Publish(server, Count + 1 + kept.Count(n => n > Count));
            Assert.True(answer.IsSuccess, answer.ToString());
            Assert.Equal([.. kept, Count + 1 + kept.Count(n => n > Count)], await Numbers(server));
        }
    }

    private static void Damage(byte[] bytes, string damage)
    {
        var page = BinaryPrimitives.ReadUInt16BigEndian(bytes.AsSpan(16));
        switch (damage)
        {
            case "overwritten":
                new Random(1).NextBytes(bytes.AsSpan(bytes.Length / page / 2 * page, page));
                break;
            case "cut off":
                Array.Clear(bytes, bytes.Length / 2, bytes.Length - bytes.Length / 2);
                break;
            default:
                new Random(1).NextBytes(bytes.AsSpan(0, page));
                break;
        }
    }

    /// <summary>A whole file: filled, then stopped gracefully.</summary>
    private async Task Fill()
    {
        await using var server = await ServerProcess.StartAsync(_folder.Path);
        foreach (var batch in Enumerable.Range(1, Count).Chunk(10))
            Assert.True((await Publish(server, batch)).IsSuccess);
        Assert.Equal(0, await server.StopAsync());
        Assert.False(File.Exists(_folder.File + "-wal"));
    }

    private async Task ChangeFile(Action<byte[]> change)
    {
        var bytes = await File.ReadAllBytesAsync(_folder.File);
        change(bytes);
        await File.WriteAllBytesAsync(_folder.File, bytes);
    }

    private Task<Answer> Publish(ServerProcess server, params int[] numbers) => _http.PublishAsync(
        server.Address, "orders", $"[{string.Join(',', numbers.Select(n =>
            $$$"""{"type":"order","critical":true,"data":{"n":{{{n}}},"padding":"{{{s_padding}}}"}}"""))}]");

    private async Task<IEnumerable<int>> Numbers(ServerProcess server)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        await foreach (var _ in Frames.ReadAsync(
            _http, server.Address, "/api/streams/orders/events?subscriber=reader", null, limit.Token)) break;
        var owed = await _http.PendingAsync(server.Address, "orders", "reader");
        return owed.Select((JsonElement each) => each.GetProperty("data").GetProperty("n").GetInt32());
    }

    private static async Task AssertRefused(string folder, string reason, params string[] options)
    {
        await using var server = ServerProcess.Spawn(folder, options);
        Assert.Equal(2, await server.WaitAsync());
        var line = Assert.Single(server.Errors);
        Assert.StartsWith("OrleansEvents cannot start: ", line, StringComparison.Ordinal);
        Assert.Contains(reason, line, StringComparison.Ordinal);
    }
}
