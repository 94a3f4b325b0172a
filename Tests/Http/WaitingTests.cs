using System.Net;
using Xunit;

namespace OrleansEvents.Tests.Http;

/// <summary>Readers for whom nothing comes.</summary>
public sealed class WaitingTests
{
    [Fact]
    public async Task A_held_poll_is_told_that_the_server_stops()
    {
        await using var server = await TestServer.Start();
        var published = await server.Publish("orders", """{"type":"n","data":1}""");
        using var connection = await server.Connect();
        await connection.Request("GET", $"/api/streams/orders/events?after={published.GetProperty("cursor")}&wait=30");
        while ((await server.Get("/api/streams/orders")).Json.GetProperty("readers").GetInt32() == 0)
            await Task.Yield();

        var stopping = server.Running.App.StopAsync(TestContext.Current.CancellationToken);
        var problem = (await connection.Receive()).MustRefuse(503, "SERVER_SHUTDOWN");
        await stopping;

        Assert.Equal("warning", problem.GetProperty("severity").GetString());
    }

    [Fact]
    public async Task A_connection_without_heartbeats_is_kept_open_by_comments()
    {
        await using var server = await TestServer.Start("--Sse:KeepAlive", "0.1");
        using var connection = await server.Connect();
        await connection.Request("GET", "/api/streams/orders/events?heartbeat=300",
            headers: "Accept: text/event-stream\r\n");
        Assert.Equal(HttpStatusCode.OK, (await connection.ReceiveHead()).Status);

        var lines = new List<string?>();
        while (lines.Count(line => line == ":") < 2) lines.Add(await connection.ReadLine());

        Assert.Single(lines, "event: connected");
        Assert.DoesNotContain("event: heartbeat", lines);
    }
}
