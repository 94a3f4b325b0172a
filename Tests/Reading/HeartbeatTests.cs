using Microsoft.Extensions.DependencyInjection;
using OrleansEvents.Storage.Memory;
using OrleansEvents.Streams;
using OrleansEvents.Tests.Http;
using OrleansEvents.Tests.Storage;
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
    public async Task Heartbeats_go_on_while_storage_does_not_answer()
    {
        var log = new FaultyLog(new MemoryEventLog());
        await using var server = await TestServer.StartWith(services => services.AddSingleton<IEventLog>(log));
        await server.Configure("s", """{"durable":true,"buffer":10}""");
        for (var i = 0; i < 50; i++) await server.Engine().PublishFast("s", SlowReader.Data);
        var held = log.Hold(call => call.Operation == LogOperation.Read);
        await using var reader = await SseReader.Stream(server, "s", "after=0&heartbeat=0.1");
        await using var other = await SseReader.Stream(server, "s", "after=0&heartbeat=0.1");
        await held.Reached.WaitAsync(SseReader.Patience);
        for (var i = 0; i < 3; i++) await reader.Next("heartbeat");
        (await server.Ask(reader.Frames[0].Text("connection"), "test", "x")).Must(System.Net.HttpStatusCode.Accepted);
        await reader.Next("test");
        Assert.DoesNotContain(reader.Frames, frame => frame.IsEvent);
        await other.DisposeAsync();
        await server.Left(1);
        held.Release();
        Assert.Equal(1.To(50), (await reader.Events(50)).Select(each => (int)each.Seq));
        Assert.DoesNotContain(reader.Frames, frame => frame.Event is "gap" or "problem");
    }

    [Fact]
    public async Task Many_lines_that_lag_are_read_from_storage_a_few_at_a_time()
    {
        var log = new FaultyLog(new MemoryEventLog());
        await using var server = await TestServer.StartWith(services => services.AddSingleton<IEventLog>(log),
            "--Streams:Durable", "true", "--Streams:Buffer", "10");
        for (var i = 0; i < 12 * 30; i++) await server.Engine().PublishFast($"a.{i % 12}", SlowReader.Data);
        var held = log.Hold(call => call.Operation == LogOperation.Read);
        await using var reader = await SseReader.Many(server, "a.*", "after=0&heartbeat=0.1");
        await held.Reached.WaitAsync(SseReader.Patience);
        for (var i = 0; i < 3; i++) await reader.Next("heartbeat");
        Assert.Equal(4, log.Count(LogOperation.Read));
        held.Release();
        var events = await reader.Events(12 * 30);
        foreach (var stream in events.GroupBy(each => each.Text("stream")))
            Assert.Equal(1.To(30), stream.Select(each => (int)each.Seq));
        Assert.DoesNotContain(reader.Frames, frame => frame.Event is "gap" or "problem");
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
