using OrleansEvents.Tests.Http;
using OrleansEvents.Tests.Storage;
using Given = OrleansEvents.Tests.Reading.Given;
using Xunit;

namespace OrleansEvents.Tests.Crash;

[Collection("Processes")]
public sealed class MemoryTrimTests
{
    private const int Readers = 3000;

    [Fact]
    public async Task A_server_at_rest_keeps_little_for_an_idle_reader()
    {
        using var folder = new DataFolder();
        await using var server = await ServerProcess.StartAsync(folder.Path,
            "--Logging:LogLevel:OrleansEvents.Api.MemoryTrim", "Debug", "--Operations:TrimAfter", "0.5");
        // What the server grows by once is in it already.
        await ReadAndLeave(server, Readers);
        await Trimmed(server, 1);
        var before = server.ResidentBytes;
        var readers = await Read(server, Readers);
        try
        {
            await Trimmed(server, 2);
            await Given.Until(() => server.ResidentBytes - before < Readers * 6000L);
        }
        finally
        {
            foreach (var reader in readers) reader.Dispose();
        }
    }

    [Fact]
    public async Task The_shortest_time_of_rest_is_borne()
    {
        using var folder = new DataFolder();
        await using var server = await ServerProcess.StartAsync(folder.Path,
            "--Logging:LogLevel:OrleansEvents.Api.MemoryTrim", "Debug", "--Operations:TrimAfter", "0.001");
        await ReadAndLeave(server, Readers);
        await Trimmed(server, 1);
    }

    [Fact]
    public async Task No_descriptor_stays_when_readers_have_left()
    {
        using var folder = new DataFolder();
        await using var server = await ServerProcess.StartAsync(folder.Path);
        await ReadAndLeave(server, 10);
        var before = Descriptors(server);
        await ReadAndLeave(server, 300);
        // Some are of the runtime's own making.
        await Given.Until(() => Descriptors(server) < before + 20);
    }

    private static async Task Trimmed(ServerProcess server, int times) => await Given.Until(() =>
        server.Errors.Count(line => line.Contains("Memory given back", StringComparison.Ordinal)) >= times);

    private static int Descriptors(ServerProcess server) => Directory.GetFiles($"/proc/{server.Id}/fd").Length;

    private static async Task ReadAndLeave(ServerProcess server, int count)
    {
        foreach (var (reader, at) in (await Read(server, count)).Select((reader, at) => (reader, at)))
        {
            if (at % 2 == 0) reader.Cut();
            reader.Dispose();
        }
    }

    private static async Task<RawConnection[]> Read(ServerProcess server, int count)
    {
        var readers = new RawConnection[count];
        for (var i = 0; i < count; i++)
        {
            readers[i] = await RawConnection.Open(server.Address);
            await readers[i].Request("GET", "/api/streams/s/events", headers: "Accept: text/event-stream\r\n");
        }
        foreach (var reader in readers) await reader.ReceiveHead();
        return readers;
    }
}
