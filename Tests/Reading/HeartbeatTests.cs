using OrleansEvents.Tests.Http;
using Xunit;

namespace OrleansEvents.Tests.Reading;

public sealed class HeartbeatTests
{
    [Fact]
    public async Task Heartbeats_say_how_many_are_connected_and_where_the_head_is()
    {
        await using var server = await TestServer.Start();
        await server.Numbers("s", 1, 2);
        await using var reader = await SseReader.Stream(server, "s", "heartbeat=0.1");
        Assert.Equal(0.1, (await reader.Next("connected")).Json.GetProperty("heartbeat").GetDouble());
        await using var other = await SseReader.Stream(server, "elsewhere");
        await other.Next("connected");
        var heartbeat = await reader.Next(frame => frame.Event == "heartbeat" && frame.Clients() == 2);
        Assert.Null(heartbeat.Id);
        Assert.Equal(reader.LastId, heartbeat.Text("head"));
        Assert.EndsWith("Z", heartbeat.Text("time"), StringComparison.Ordinal);
        await other.DisposeAsync();
        await reader.Next(frame => frame.Event == "heartbeat" && frame.Clients() == 1);
    }

    [Fact]
    public async Task A_heartbeat_carries_the_position_past_events_that_were_not_for_this_reader()
    {
        await using var server = await TestServer.Start();
        await server.Numbers("s", 1, 1);
        await using var reader = await SseReader.Stream(server, "s", "heartbeat=0.1&types=t");
        await reader.Events(1);
        await server.Numbers("s", 2, 4, type: "other");
        var head = (await server.Poll("s")).Cursor();
        var heartbeat = await reader.Next(frame => frame is { Event: "heartbeat", Id: not null });
        Assert.Equal(head, heartbeat.Id);
        Assert.Null((await reader.Next("heartbeat")).Id);
        await server.Numbers("s", 5, 5);
        await using var again = await SseReader.Stream(server, "s", "types=t", heartbeat.Id);
        Assert.Equal([5], (await again.Events(1)).Numbers());
    }

    [Fact]
    public async Task Heartbeats_are_spread_and_go_on_while_events_flow()
    {
        await using var server = await TestServer.Start("--Sse:Heartbeat", "0.2");
        await using var reader = await SseReader.Stream(server, "s");
        using var stop = new CancellationTokenSource();
        var engine = server.Engine();
        var publishing = Task.Run(async () =>
        {
            while (!stop.IsCancellationRequested)
            {
                await engine.PublishFast("s", "0");
                await Task.Delay(1);
            }
        });
        for (var i = 0; i < 3; i++) await reader.Next("heartbeat");
        await stop.CancelAsync();
        await publishing;
        Assert.Contains(reader.Frames, frame => frame.IsEvent);
    }

    [Fact]
    public async Task A_comment_keeps_a_connection_open_that_wants_few_heartbeats()
    {
        await using var server = await TestServer.Start("--Sse:KeepAlive", "0.1");
        await using var reader = await SseReader.Stream(server, "s", "heartbeat=300");
        await reader.Next("connected");
        // Comments are no frames: the next event comes after some of them.
        var next = reader.Next();
        await Given.Until(() => reader.Comments >= 2);
        await server.Publish("s", Given.Event);
        Assert.Equal(0, (await next)!.Number());
    }
}
