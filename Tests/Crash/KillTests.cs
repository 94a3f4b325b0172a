using System.Text.Json;
using OrleansEvents.Tests.Storage;
using Xunit;

namespace OrleansEvents.Tests.Crash;

/// <summary>What is promised of critical events, once through, with a real process and kill -9.</summary>
[Collection("Processes")]
public sealed class KillTests : IDisposable
{
    private readonly DataFolder _folder = new();
    private readonly HttpClient _http = EventsHttp.NewClient();

    public void Dispose()
    {
        _http.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public async Task Two_hundred_critical_events_survive_kills_until_each_is_acknowledged()
    {
        await using (var server = await ServerProcess.StartAsync(_folder.Path))
        {
            for (var n = 1; n <= 200; n++) await Publish(server, n);
            await server.KillAsync();
        }

        await using (var server = await ServerProcess.StartAsync(_folder.Path))
        {
            var owed = await ReadOwed(server, 200);
            Assert.Equal(Enumerable.Range(1, 200), owed.Select(NumberOf));
            var ack = await _http.AckAsync(server.Address, "orders", "billing", owed.Take(150).Select(IdOf));
            Assert.All(ack.Json.GetProperty("results").EnumerateArray(),
                result => Assert.Equal("acknowledged", result.GetProperty("result").GetString()));
            await server.KillAsync();
        }

        await using (var server = await ServerProcess.StartAsync(_folder.Path))
        {
            var owed = await ReadOwed(server, 50);
            Assert.Equal(Enumerable.Range(151, 50), owed.Select(NumberOf));
            Assert.Equal(Enumerable.Range(151, 50),
                (await _http.PendingAsync(server.Address, "orders", "billing")).Select(NumberOf));
        }
    }

    private async Task Publish(ServerProcess server, int n)
    {
        var answer = await _http.PublishAsync(
            server.Address, "orders", $$"""{"type":"order","data":{"n":{{n}}},"critical":true}""");
        Assert.True(answer.IsSuccess && answer.Json.GetProperty("durable").GetBoolean(), answer.ToString());
    }

    /// <summary>The first events, and proof that no further one follows: one published now comes next.</summary>
    private async Task<List<JsonElement>> ReadOwed(ServerProcess server, int count)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        var events = new List<JsonElement>();
        await foreach (var frame in Frames.ReadAsync(
            _http, server.Address, "/api/streams/orders/events?subscriber=billing", null, limit.Token))
        {
            if (frame.Name == "connected") Assert.Equal(count, frame.Data.GetProperty("pending").GetInt32());
            if (!frame.IsEvent) continue;
            if (frame.Text("type") == "marker") return events;
            events.Add(frame.Data);
            if (events.Count == count) await _http.PublishAsync(
                server.Address, "orders", """{"type":"marker","data":null}""");
        }
        throw new InvalidOperationException($"The connection ended after {events.Count} events");
    }

    private static int NumberOf(JsonElement @event) => @event.GetProperty("data").GetProperty("n").GetInt32();

    private static string IdOf(JsonElement @event) => @event.GetProperty("id").GetString()!;
}
