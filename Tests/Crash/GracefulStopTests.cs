using System.Net;
using System.Net.Sockets;
using System.Text;
using Xunit;

namespace OrleansEvents.Tests.Crash;

/// <summary>SIGTERM: everybody is told, nothing is lost, and the next start goes on from there.</summary>
[Collection("Processes")]
public sealed class GracefulStopTests(ITestOutputHelper output) : IDisposable
{
    private const string Events = "/api/streams/orders/events";
    private readonly HttpClient _http = EventsHttp.NewClient();

    public void Dispose() => _http.Dispose();

    [Fact]
    public async Task Stops_under_load_make_no_gap_and_lose_no_ordinary_event()
    {
        const int Stops = 3;
        var random = TestRun.NewRandom(output);
        await using var deployment = new Deployment("--Logging:LogLevel:OrleansEvents", "Warning");
        using var load = new Load(deployment, random, TimeSpan.FromMinutes(5), buffer: 1_000_000);
        await deployment.StartAsync();
        await load.BeginAsync();
        for (var stop = 0; stop < Stops; stop++)
        {
            await load.RunsAsync(answers: random.Next(50, 200));
            Assert.Equal(0, await deployment.StopAsync());
            await deployment.StartAsync();
        }
        await load.EndAsync();
        output.WriteLine(load.Summary);
        await load.CheckAsync();
        Assert.Empty(load.Gaps);
    }

    [Fact]
    public async Task A_reader_is_told_to_come_back_and_goes_on_where_it_was()
    {
        await using var deployment = new Deployment();
        await deployment.StartAsync();
        await PublishAsync(deployment, 1);
        var before = Task.Run(() => ReadUntilEnd(deployment, null));
        await PublishAsync(deployment, 2);
        var poll = _http.GetAsync(deployment.Server.Address, $"{Events}?after=$&wait=30");
        await SeenAsync(deployment, readers: 1);
        Assert.Equal(0, await deployment.StopAsync());

        var frames = await before;
        Assert.Equal(("problem", "SERVER_SHUTDOWN"), (frames[^1].Name, frames[^1].Text("code")));
        Assert.True(frames[^1].Retry > TimeSpan.Zero, "it is told when to come back");
        Assert.True((await poll).Status is HttpStatusCode.OK or HttpStatusCode.ServiceUnavailable);

        await deployment.StartAsync();
        await PublishAsync(deployment, 3);
        var after = Task.Run(() => ReadUntilEnd(deployment, frames.Last(frame => frame.Id is not null).Id));
        await SeenAsync(deployment, readers: 1);
        await deployment.StopAsync();
        Assert.Equal([1, 2, 3], frames.Concat(await after).Where(frame => frame.IsEvent)
            .Select(frame => frame.Data.GetProperty("data").GetInt32()));
        Assert.DoesNotContain(await after, frame => frame.Name == "gap");
    }

    [Fact]
    public async Task A_reader_that_takes_nothing_does_not_hold_up_the_stop()
    {
        await using var deployment = new Deployment("--Shutdown:Drain", "0.5", "--Streams:Buffer", "1000000");
        await deployment.StartAsync();
        using var stalled = new TcpClient { ReceiveBufferSize = 4096 };
        await stalled.ConnectAsync(deployment.Server.Address.Host, deployment.Server.Address.Port);
        await stalled.GetStream().WriteAsync(Encoding.ASCII.GetBytes(
            $"GET {Events} HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n"));
        await SeenAsync(deployment, readers: 1);
        var large = $$"""{"type":"large","data":"{{new string('x', 200_000)}}"}""";
        for (var i = 0; i < 100; i++)
            Assert.True((await _http.PublishAsync(deployment.Server.Address, "orders", large)).IsSuccess);
        Assert.Equal(0, await deployment.StopAsync());
    }

    private async Task PublishAsync(Deployment deployment, int n)
    {
        var answer = await _http.PublishAsync(
            deployment.Server.Address, "orders", $$"""{"type":"order","data":{{n}}}""");
        Assert.True(answer.IsSuccess, answer.ToString());
    }

    /// <summary>Waits until the reader's connection is there, and has had its events.</summary>
    private async Task SeenAsync(Deployment deployment, int readers)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        await foreach (var frame in Frames.ReadAsync(
            _http, deployment.Server.Address, $"{Events}?heartbeat=0.1", null, limit.Token))
            if (frame.Name == "heartbeat" && frame.Data.GetProperty("clients").GetInt32() > readers) return;
    }

    private async Task<List<Frame>> ReadUntilEnd(Deployment deployment, string? lastEventId)
    {
        var frames = new List<Frame>();
        var address = await deployment.AddressAsync(CancellationToken.None);
        await foreach (var frame in Frames.ReadAsync(_http, address, Events, lastEventId, CancellationToken.None))
            frames.Add(frame);
        return frames;
    }
}
