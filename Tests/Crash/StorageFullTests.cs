using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using OrleansEvents.Tests.Cli;
using Xunit;

namespace OrleansEvents.Tests.Crash;

/// <summary>A server whose storage has no room left: what is refused, what goes on, and that it recovers.</summary>
[Collection("Processes")]
public sealed class StorageFullTests : IDisposable
{
    private const string Stream = "orders";
    private static readonly string s_padding = new('x', 20_000);
    private readonly HttpClient _http = EventsHttp.NewClient();
    private readonly ConcurrentQueue<Frame> _frames = new();
    private int _n;

    public void Dispose() => _http.Dispose();

    [Fact]
    public Task A_limit_on_file_sizes_refuses_critical_events_only_and_recovers() => Check(new FileSizeRoom());

    [Fact]
    public Task A_full_disk_refuses_critical_events_only_and_recovers() => Check(new SmallDiskRoom());

    private async Task Check(Room room)
    {
        await using var deployment = new Deployment("--Storage:CircuitOpen", "0.2");
        if (await room.PrepareAsync(deployment.Path) is { } reason) Assert.Skip(reason);
        try
        {
            await deployment.StartAsync();
            await Check(room, deployment);
        }
        finally
        {
            await deployment.KillAsync();
            await room.CleanUpAsync(deployment.Path);
        }
    }

    private async Task Check(Room room, Deployment deployment)
    {
        using var end = new CancellationTokenSource(TimeSpan.FromMinutes(2));
        var server = deployment.Server;
        var acknowledged = new List<int>();
        await using var registered = Frames.ReadAsync(_http, server.Address, PathOf("keeper"), null, end.Token)
            .GetAsyncEnumerator(end.Token);
        await registered.MoveNextAsync();
        var reading = Read(server.Address, end.Token);
        Assert.Equal(HttpStatusCode.Created, (await Publish(server, critical: true, acknowledged)).Status);

        await room.TakeAsync(server, deployment.Path);
        var refused = await PublishUntilRefused(server, acknowledged);
        await GoesOnWithoutRoom(server, refused);
        await room.GiveAsync(server, deployment.Path);
        await Recovers(server, acknowledged);
        await end.CancelAsync();
        await reading;

        await deployment.KillAsync();
        await deployment.StartAsync();
        var owed = await _http.PendingAsync(deployment.Server.Address, Stream, "keeper");
        Assert.Equal(acknowledged, owed.Select(each => each.GetProperty("data").GetProperty("n").GetInt32()));
    }

    private async Task<Answer> PublishUntilRefused(ServerProcess server, List<int> acknowledged)
    {
        while (true)
        {
            var answer = await Publish(server, critical: true, acknowledged);
            if (!answer.IsSuccess) return answer;
        }
    }

    private async Task GoesOnWithoutRoom(ServerProcess server, Answer refused)
    {
        AssertRefused(refused, "STORE_UNAVAILABLE");
        var ready = await _http.GetAsync(server.Address, "/readyz");
        Assert.Equal((HttpStatusCode.ServiceUnavailable, "STORE_UNAVAILABLE"), (ready.Status, ready.Code));
        Assert.Equal(HttpStatusCode.OK, (await _http.GetAsync(server.Address, "/healthz")).Status);
        AssertRefused(await Publish(server, critical: true, []), "CIRCUIT_OPEN", "STORE_UNAVAILABLE");

        var ordinary = new List<int>();
        for (var i = 0; i < 20; i++)
            Assert.Equal(HttpStatusCode.Created, (await Publish(server, critical: false, ordinary)).Status);
        await Until.TrueAsync(() => _frames.Any(frame => frame.IsEvent && NumberOf(frame) == ordinary[^1]));
        Assert.Equal(ordinary, _frames.Where(frame => frame.IsEvent).Select(NumberOf).TakeLast(20));
        Assert.Contains(_frames, frame => frame.Name == "problem" && frame.Text("code") == "STORE_UNAVAILABLE");
        var heartbeats = Heartbeats;
        await Until.TrueAsync(() => Heartbeats > heartbeats + 1);
        var poll = await _http.GetAsync(server.Address, $"/api/streams/{Stream}/events?limit=1000");
        Assert.Equal(ordinary, poll.Json.GetProperty("events").EnumerateArray()
            .Select(each => each.GetProperty("data").GetProperty("n").GetInt32()).TakeLast(20));
    }

    private async Task Recovers(ServerProcess server, List<int> acknowledged)
    {
        await Until.TrueAsync(() => _frames.Any(
            frame => frame.Name == "problem" && frame.Text("code") == "SOURCE_RECOVERED"));
        // A small write may have fitted before there was room for others: the circuit can close and open again.
        await Until.TrueAsync(async () =>
            (await _http.GetAsync(server.Address, "/readyz")).Status == HttpStatusCode.OK);
        Answer answer;
        do
        {
            answer = await Publish(server, critical: true, acknowledged);
            if (!answer.IsSuccess) AssertRefused(answer, "STORE_UNAVAILABLE", "CIRCUIT_OPEN");
        }
        while (!answer.IsSuccess);
        await Until.TrueAsync(() => _frames.Any(frame => frame.IsEvent && NumberOf(frame) == acknowledged[^1]));
        var critical = _frames.Where(frame => frame.IsEvent && frame.Data.GetProperty("critical").GetBoolean());
        Assert.Equal(acknowledged, critical.Select(NumberOf));
    }

    private async Task<Answer> Publish(ServerProcess server, bool critical, List<int> acknowledged)
    {
        var n = ++_n;
        var flag = critical ? "true" : "false";
        var answer = await _http.PublishAsync(server.Address, Stream, string.Create(CultureInfo.InvariantCulture,
            $$$"""{"type":"order","critical":{{{flag}}},"data":{"n":{{{n}}},"padding":"{{{s_padding}}}"}}"""));
        if (answer.IsSuccess) acknowledged.Add(n);
        return answer;
    }

    private int Heartbeats => _frames.Count(frame => frame.Name == "heartbeat");

    private static void AssertRefused(Answer answer, params string[] codes)
    {
        Assert.Equal(HttpStatusCode.ServiceUnavailable, answer.Status);
        Assert.Contains(answer.Code, codes);
        Assert.True(answer.RetryAfter > TimeSpan.Zero, "Retry-After tells when to come back");
    }

    private async Task Read(Uri address, CancellationToken cancel)
    {
        try
        {
            await foreach (var frame in Frames.ReadAsync(_http, address, PathOf(null), null, cancel))
                _frames.Enqueue(frame);
        }
        catch (OperationCanceledException)
        {
            // The test has seen enough.
        }
    }

    private static string PathOf(string? subscriber) =>
        $"/api/streams/{Stream}/events?heartbeat=0.1" + (subscriber is null ? "" : $"&subscriber={subscriber}");

    private static int NumberOf(Frame frame) => frame.Data.GetProperty("data").GetProperty("n").GetInt32();
}
