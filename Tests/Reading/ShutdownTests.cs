using System.Net;
using OrleansEvents.Tests.Http;
using Xunit;

namespace OrleansEvents.Tests.Reading;

public sealed class ShutdownTests
{
    [Fact]
    public async Task Every_reader_is_told_that_the_server_stops_and_when_to_come_back()
    {
        await using var server = await TestServer.StartOnDisk("--Shutdown:Drain", "60");
        await server.Numbers("s", 1, 3);
        await using var one = await SseReader.Stream(server, "s");
        await using var two = await SseReader.Stream(server, "s", version: HttpVersion.Version20);
        await using var absent = await SseReader.Stream(server, "absent");
        await using var many = await SseReader.Many(server, ">");
        await using var subscriber = await SseReader.Stream(server, "s", "subscriber=a");
        SseReader[] readers = [one, two, absent, many, subscriber];
        foreach (var reader in readers) await reader.Next("connected");
        var stopping = server.Stop();
        foreach (var reader in readers)
        {
            await reader.Rest();
            Assert.True(reader.IsWhole);
            var problem = reader.Frames[^1];
            Assert.Equal(("problem", "SERVER_SHUTDOWN"), (problem.Event, problem.Text("code")));
            Assert.Equal(["code", "message", "timestamp", "component", "severity"], problem.Json.Members());
            Assert.InRange(problem.Retry!.Value, 1000, 3000);
        }
        await stopping.WaitAsync(TimeSpan.FromSeconds(50));
        await server.Restart();
        await using var back = await SseReader.Stream(server, "s", lastEventId: one.LastId);
        await server.Numbers("s", 4, 4);
        Assert.Equal([4], (await back.Events(1)).Numbers());
        Assert.DoesNotContain(back.Frames, frame => frame.Event == "gap");
    }

    [Fact]
    public async Task A_held_poll_is_answered_when_the_server_stops()
    {
        await using var server = await TestServer.Start("--Shutdown:Drain", "60");
        await server.Numbers("s", 1, 1);
        using var http = TestPath.Client(server.Address, SseReader.Patience);
        var held = http.GetAsync("/api/streams/s/events?after=$&wait=30");
        using var lease = (await server.Engine().Follow("s")).Value!;
        await Given.Until(() => lease.Feed.Watchers == 1);
        await server.Stop();
        var answer = await Answer.Of(await held);
        answer.MustRefuse(503, "SERVER_SHUTDOWN");
        Assert.NotNull(answer.Header("Retry-After"));
    }

    [Fact]
    public async Task What_publishers_were_told_before_the_stop_is_there_after_it()
    {
        await using var server = await TestServer.StartOnDisk("--Shutdown:Drain", "60");
        var told = new System.Collections.Concurrent.ConcurrentBag<int>();
        var started = new TaskCompletionSource();
        async Task Publish(int publisher)
        {
            using var http = TestPath.Client(server.Address, SseReader.Patience);
            for (var i = publisher * 100_000; ; i++)
            {
                using var body = new StringContent(
                    $$"""{"type":"t","data":{{i}},"critical":{{(i % 2 == 0 ? "true" : "false")}}}""", null,
                    "application/json");
                try
                {
                    using var answer = await http.PostAsync("/api/streams/s/events", body);
                    if (answer.StatusCode != HttpStatusCode.Created) return;
                }
                catch (HttpRequestException)
                {
                    return;
                }
                told.Add(i);
                if (told.Count >= 50) started.TrySetResult();
            }
        }
        await server.Configure("s", """{"buffer":100000,"bufferBytes":100000000}""");
        var publishers = Enumerable.Range(1, 4).Select(Publish).ToList();
        await started.Task.WaitAsync(SseReader.Patience);
        await server.Stop().WaitAsync(TimeSpan.FromSeconds(50));
        await Task.WhenAll(publishers);
        await server.Restart();
        await using var reader = await SseReader.Stream(server, "s", "after=0");
        var left = told.ToHashSet();
        while (left.Count > 0) left.Remove((await reader.Events(1))[0].Number());
        Assert.DoesNotContain(reader.Frames, frame => frame.Event == "gap");
    }

    [Fact]
    public async Task A_reader_that_takes_nothing_does_not_hold_up_the_stop_beyond_the_drain()
    {
        await using var server = await TestServer.Start("--Shutdown:Drain", "0.5");
        await server.Configure("s", """{"buffer":100000,"bufferBytes":20000000}""");
        using var stalled = await RawConnection.Open(server.Address, receiveBuffer: 4096);
        await stalled.Request("GET", "/api/streams/s/events", headers: "Accept: text/event-stream\r\n");
        await stalled.ReceiveHead();
        var engine = server.Engine();
        var data = $"\"{new string('x', 10_000)}\"";
        for (var i = 0; i < 1500; i++) await engine.PublishFast("s", data);
        await server.Stop().WaitAsync(TimeSpan.FromSeconds(30));
    }
}
