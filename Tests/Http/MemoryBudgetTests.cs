using System.Text.Json;
using OrleansEvents.Tests.Metrics;
using Xunit;

namespace OrleansEvents.Tests.Http;

public sealed class MemoryBudgetTests
{
    private const int Budget = 4 << 20;
    private const int Streams = 12;

    [Fact]
    public async Task Beyond_the_global_budget_the_idlest_streams_lose_their_buffers_and_readers_are_told()
    {
        Assert.SkipWhen(ServerEngine.IsCluster, "A node lists what lies in its own buffers.");
        await using var server = await TestServer.Start("--Limits:MemoryBytes", $"{Budget}");
        var text = new string('x', 100_000);
        for (var stream = 0; stream < Streams; stream++)
            for (var i = 0; i < 8; i++)
                await server.Publish($"s{stream:D2}", $$"""{"type":"filled","data":"{{text}}"}""");

        var listed = (await server.GetJson("/api/streams")).GetProperty("streams").EnumerateArray().ToList();
        Assert.Equal(Streams, listed.Count);
        Assert.True(listed.Sum(each => each.GetProperty("bytes").GetInt64()) <= Budget);
        Assert.Equal(0, EventsOf(listed[0]));
        Assert.Equal(8, EventsOf(listed[^1]));
        // Evicted from the idlest on: whoever has events is younger than whoever has none.
        var kept = listed.Select(each => EventsOf(each) > 0).ToList();
        Assert.Equal(kept.Order(), kept);

        var gap = (await server.GetJson("/api/streams/s00/events?after=0")).GetProperty("gap");
        Assert.Equal(("evicted", 8), (gap.GetProperty("reason").GetString(), gap.GetProperty("missed").GetInt32()));
    }

    [Fact]
    public async Task Bodies_are_refused_while_others_take_all_room_for_them()
    {
        await using var server = await TestServer.Start("--Limits:RequestMemoryBytes", $"{Budget}",
            "--Limits:RequestBytes", $"{Budget}");
        using var slow = await Announced(server, Budget / 2);
        using var other = await Announced(server, Budget / 2);
        await Scrape.Until(server, "request_memory_bytes", Budget);
        var refused = await server.TryPublish("s", Given.Event(1));
        refused.MustRefuse(429, "RATE_LIMITED");
        Assert.Equal("1", refused.Header("Retry-After"));
        slow.Cut();
        await Scrape.Until(server, "request_memory_bytes", Budget / 2);
        await server.Publish("s", Given.Event(2));
        other.Cut();
        await Scrape.Until(server, "request_memory_bytes", 0);
        Assert.Equal(["2"], await server.DataOf("s"));
    }

    [Fact]
    public async Task A_body_that_outgrows_the_room_is_refused_in_its_middle()
    {
        await using var server = await TestServer.Start("--Limits:RequestMemoryBytes", $"{Budget}",
            "--Limits:RequestBytes", $"{Budget}");
        using var slow = await Announced(server, Budget / 2);
        await Scrape.Until(server, "request_memory_bytes", Budget / 2);
        using var growing = await server.Connect();
        await growing.Send("POST /api/streams/s/events HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
        var length = Budget / 2 - 1;
        await growing.Send($"{length:x}\r\n{new string(' ', length)}\r\n");
        (await growing.Receive()).MustRefuse(429, "RATE_LIMITED");
        await Scrape.Until(server, "request_memory_bytes", Budget / 2);
    }

    /// <summary>A request that says how long its body is, and sends nothing of it.</summary>
    private static async Task<RawConnection> Announced(TestServer server, int length)
    {
        var connection = await server.Connect();
        await connection.Send($"POST /api/streams/s/events HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n");
        return connection;
    }

    private static int EventsOf(JsonElement stream) => stream.GetProperty("events").GetInt32();
}
