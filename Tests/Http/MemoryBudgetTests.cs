using System.Text.Json;
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

    private static int EventsOf(JsonElement stream) => stream.GetProperty("events").GetInt32();
}
