using System.Text;
using OrleansEvents.Client;
using Xunit;

namespace OrleansEvents.Tests.Client;

public sealed class EventReaderTests
{
    private readonly FastTime _time = new();

    [Fact]
    public async Task Reader_gets_events_and_what_the_server_says()
    {
        await using var server = await ScriptedServer.StartAsync();
        server.ThenFrames(
            Sse.Connected(), ": a comment\n\n", Sse.Event(1, """{"a":[1,"ü"]}""", type: "error_event"), Sse.Heartbeat,
            Sse.Gap("c5", "3", "evicted"), Sse.Problem("SLOW_CLIENT", "too slow"),
            "event: ping\ndata: {\"id\":\"p\"}\n\n",
            Sse.End());
        using var client = TestClient.Of(server, _time);

        var frames = await TestClient.AllAsync(client.ReadAsync("orders"));

        Assert.Equal("k1", Assert.IsType<ConnectedFrame>(frames[0]).Connection);
        var @event = Assert.IsType<EventFrame>(frames[1]).Event;
        Assert.Equal(("c1", 1L, "orders", "error_event"), (@event.Id, @event.Seq, @event.Stream, @event.Type));
        Assert.Equal("""{"a":[1,"ü"]}""", Encoding.UTF8.GetString(@event.DataJson.Span));
        Assert.Equal(
            Sse.EventJson(1, """{"a":[1,"ü"]}""", type: "error_event"), Encoding.UTF8.GetString(@event.Json.Span));
        Assert.Equal(678, @event.Time!.Value.Millisecond);
        Assert.Equal(3, Assert.IsType<HeartbeatFrame>(frames[2]).Clients);
        var gap = Assert.IsType<GapFrame>(frames[3]);
        Assert.Equal(("evicted", 3L, "c5"), (gap.Reason, gap.Missed, gap.ResumedAt));
        Assert.Equal("SLOW_CLIENT", Assert.IsType<ProblemFrame>(frames[4]).Code);
        Assert.Equal("ping", Assert.IsType<OtherFrame>(frames[5]).Name);
        Assert.Equal("completed", Assert.IsType<EndFrame>(frames[6]).Reason);
        Assert.Equal(7, frames.Count);
    }

    [Fact]
    public async Task Reader_goes_on_behind_its_last_event_after_a_cut()
    {
        await using var server = await ScriptedServer.StartAsync();
        var cut = new TaskCompletionSource();
        server
            .ThenFramesAndCut(
                cut.Task, Sse.Connected("c0"), Sse.Event(1), Sse.Event(2), "id: c3\ndata: {\"id\":\"c3\"")
            .ThenFrames(Sse.Connected("c2"), Sse.Event(3), Sse.End());
        using var client = TestClient.Of(server, _time);
        var reader = client.ReadAsync("orders", new ReadOptions { After = "0", Types = ["a", "b"] });
        var states = new List<ConnectionState>();
        reader.StateChanged += change => states.Add(change.State);

        var frames = await TestClient.AllAsync(reader, frame =>
        {
            if (frame is EventFrame { Event.Seq: 2 })
                cut.SetResult();
        });

        Assert.Equal([1, 2, 3], TestClient.Seqs(frames));
        Assert.Equal([null, "c2"], server.Requests.Select(request => request.LastEventId));
        Assert.StartsWith("?after=0&types=a%2Cb&client=", server.Requests.First().Query, StringComparison.Ordinal);
        Assert.Single(server.Requests.Select(request => request.Query).Distinct());
        Assert.Equal(
            [ConnectionState.Connected, ConnectionState.Reconnecting, ConnectionState.Connected, ConnectionState.Ended],
            states);
        Assert.Equal("c9", reader.Position);
        Assert.Equal([TimeSpan.FromSeconds(1)], _time.Waits);
    }

    [Fact]
    public async Task A_heartbeat_that_carries_an_id_moves_the_position()
    {
        await using var server = await ScriptedServer.StartAsync();
        server
            .ThenFrames(Sse.Connected("c0"), "event: heartbeat\nid: c7\ndata: {}\n\n", Sse.Heartbeat)
            .ThenFrames(Sse.Connected("c7"), Sse.End());
        using var client = TestClient.Of(server, _time);

        await TestClient.AllAsync(client.ReadAsync("orders"));

        Assert.Equal([null, "c7"], server.Requests.Select(request => request.LastEventId));
    }

    [Fact]
    public async Task No_content_ends_the_reading()
    {
        await using var server = await ScriptedServer.StartAsync();
        server.ThenFrames(Sse.Connected(), Sse.Event(1));
        using var client = TestClient.Of(server, _time);
        var reader = client.ReadAsync("orders");

        var frames = await TestClient.AllAsync(reader);

        Assert.Equal([1], TestClient.Seqs(frames));
        Assert.Equal(ConnectionState.Ended, reader.State);
        Assert.Empty(await TestClient.AllAsync(reader));
    }

    [Fact]
    public async Task Refused_reader_waits_as_long_as_it_is_asked_and_longer_each_time()
    {
        await using var server = await ScriptedServer.StartAsync();
        server
            .ThenProblem(503, "SERVER_SHUTDOWN", "draining", retryAfter: "7")
            .ThenProblem(503, "SERVER_SHUTDOWN", "draining")
            .ThenProblem(500, "SERVER_ERROR", "a fault")
            .ThenProblem(429, "RATE_LIMITED", "too many", retryAfter: "45")
            .ThenProblem(503, "SERVER_SHUTDOWN", "draining")
            .ThenProblem(503, "SERVER_SHUTDOWN", "draining")
            .ThenFrames(Sse.Connected(), Sse.End());
        using var client = TestClient.Of(server, _time);
        var reader = client.ReadAsync("orders");
        var changes = new List<ConnectionChange>();
        reader.StateChanged += changes.Add;

        await TestClient.AllAsync(reader);

        Assert.Equal([7, 2, 4, 45, 16, 30], _time.Waits.Select(wait => wait.TotalSeconds));
        Assert.Equal(
            [(ConnectionState.Reconnecting, 1), (ConnectionState.Reconnecting, 2), (ConnectionState.Reconnecting, 3),
                (ConnectionState.Reconnecting, 4), (ConnectionState.Failed, 5), (ConnectionState.Failed, 6),
                (ConnectionState.Connected, 0), (ConnectionState.Ended, 0)],
            changes.Select(change => (change.State, change.Attempt)));
        Assert.Equal("SERVER_SHUTDOWN", changes[0].Reason!.Code);
    }

    [Fact]
    public async Task The_servers_retry_field_sets_the_pace()
    {
        await using var server = await ScriptedServer.StartAsync();
        server
            .ThenFrames(Sse.Connected(retryMilliseconds: 3300))
            .ThenProblem(503, "SERVER_SHUTDOWN", "draining")
            .ThenFrames(Sse.Connected(), Sse.End());
        using var client = TestClient.Of(server, _time);

        await TestClient.AllAsync(client.ReadAsync("orders"));

        Assert.Equal([3.3, 6.6], _time.Waits.Select(wait => wait.TotalSeconds));
    }

    [Fact]
    public async Task Server_that_cannot_be_reached_is_tried_again()
    {
        var gone = await ScriptedServer.StartAsync();
        var port = gone.Address.Port;
        await gone.DisposeAsync();
        using var client = new EventsClient(
            new Uri($"http://127.0.0.1:{port}"), options: TestClient.Patience, time: _time);
        var reader = client.ReadAsync("orders");
        ScriptedServer? back = null;
        reader.StateChanged += change =>
        {
            if (change.Attempt == 3)
                back = ScriptedServer.StartAsync(port).GetAwaiter().GetResult().ThenFrames(Sse.Connected(), Sse.End());
        };

        var frames = await TestClient.AllAsync(reader);

        Assert.Equal(2, frames.Count);
        Assert.Equal([1, 2, 4], _time.Waits.Select(wait => wait.TotalSeconds));
        await back!.DisposeAsync();
    }

    [Fact]
    public async Task Silent_connection_is_given_up()
    {
        await using var server = await ScriptedServer.StartAsync();
        server
            .ThenFramesAndSilence(Sse.Connected("c0"), Sse.Event(1))
            .Then(ScriptedServer.UntilGoneAsync);
        // A busy machine may have given the first connection up before its event arrived.
        server.Otherwise = (context, request) => request.LastEventId == "c1"
            ? Sse.WriteAsync(context, Sse.Connected("c1"), Sse.End())
            : Sse.WriteAsync(context, Sse.Connected("c0"), Sse.Event(1), Sse.End());
        var patience = new EventsClientOptions
        {
            LongestSilence = TimeSpan.FromMilliseconds(400),
            FirstDelay = TimeSpan.FromMilliseconds(1),
        };
        using var client = new EventsClient(server.Address, options: patience);
        var reader = client.ReadAsync("orders");
        var reasons = new List<string?>();
        reader.StateChanged += change => reasons.Add(change.Reason?.Code);

        var frames = await TestClient.AllAsync(reader);

        Assert.Equal([1], TestClient.Seqs(frames));
        Assert.Contains("TIMEOUT", reasons);
        Assert.True(server.Requests.Count >= 3);
    }

    [Fact]
    public async Task An_application_that_works_on_a_frame_is_not_taken_for_a_silent_server()
    {
        await using var server = await ScriptedServer.StartAsync();
        server.ThenFrames(Sse.Connected(), Sse.Event(1), Sse.Event(2), Sse.End());
        var time = new SteppedTime();
        using var client = new EventsClient(server.Address, options: TestClient.Patience, time: time);
        var count = 0;
        await foreach (var _ in client.ReadAsync("orders"))
        {
            time.FireAll(times: 10);
            count++;
        }

        Assert.Equal(4, count);
        Assert.Single(server.Requests);
    }

    [Fact]
    public async Task Refusal_that_waiting_cannot_mend_is_thrown()
    {
        await using var server = await ScriptedServer.StartAsync();
        server.ThenProblem(400, "INVALID_INPUT", "no such cursor");
        using var client = TestClient.Of(server, _time);
        var reader = client.ReadAsync("orders");

        var refusal = await Assert.ThrowsAsync<EventsException>(() => TestClient.AllAsync(reader));

        Assert.Equal(("INVALID_INPUT", "no such cursor"), (refusal.Code, refusal.Detail));
        Assert.Equal(ConnectionState.Idle, reader.State);
        Assert.Empty(_time.Waits);
    }

    [Fact]
    public async Task Answer_of_another_kind_of_server_is_thrown()
    {
        await using var server = await ScriptedServer.StartAsync();
        server.ThenJson(200, "{}");
        using var client = TestClient.Of(server, _time);

        var refusal = await Assert.ThrowsAsync<EventsException>(
            () => TestClient.AllAsync(client.ReadAsync("orders")));

        Assert.Contains("is this an OrleansEvents server?", refusal.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Frame_that_cannot_be_read_is_told_and_reading_goes_on()
    {
        await using var server = await ScriptedServer.StartAsync();
        server.ThenFrames(Sse.Connected(), "data: {\"id\":7}\n\n", "data: no json\n\n", Sse.Event(2), Sse.End());
        using var client = TestClient.Of(server, _time);

        var frames = await TestClient.AllAsync(client.ReadAsync("orders"));

        Assert.Equal(2, frames.OfType<ProblemFrame>().Count());
        Assert.Equal([2], TestClient.Seqs(frames));
    }

    [Fact]
    public async Task Cancelled_reader_throws_and_can_go_on_later()
    {
        await using var server = await ScriptedServer.StartAsync();
        server
            .ThenFramesAndSilence(Sse.Connected("c0"), Sse.Event(1))
            .ThenFrames(Sse.Connected("c1"), Sse.Event(2), Sse.End());
        using var client = TestClient.Of(server, _time);
        var reader = client.ReadAsync("orders");
        using var stop = new CancellationTokenSource();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (var frame in reader.WithCancellation(stop.Token))
            {
                if (frame is EventFrame)
                    await stop.CancelAsync();
            }
        });
        var rest = await TestClient.AllAsync(reader);

        Assert.Equal([2], TestClient.Seqs(rest));
        Assert.Equal("c1", server.Requests.Last().LastEventId);
    }
}
