using OrleansEvents.Client;
using Xunit;

namespace OrleansEvents.Tests.Client;

public sealed class ManyStreamsTests
{
    private readonly FastTime _time = new();

    [Fact]
    public async Task Each_event_is_passed_on_once_over_a_reconnect()
    {
        await using var server = await ScriptedServer.StartAsync();
        var cut = new TaskCompletionSource();
        server
            .ThenFramesAndCut(
                cut.Task, Sse.Connected("p0"), Sse.LooseEvent(1, "a"), Sse.LooseEvent(1, "b"),
                "event: heartbeat\nid: p1\ndata: {}\n\n", Sse.LooseEvent(2, "a"))
            .ThenFrames(
                Sse.Connected("p1"), Sse.LooseEvent(1, "b"), Sse.LooseEvent(2, "a"), Sse.LooseEvent(3, "a"),
                Sse.LooseEvent(2, "a", attempt: 2), Sse.End("p2", "a"), Sse.End("p3", "b"));
        using var client = TestClient.Of(server, _time);

        var frames = await TestClient.AllAsync(client.ReadAsync(["a", "b"]), frame =>
        {
            if (frame is EventFrame { Event: { Stream: "a", Seq: 2, Attempt: 1 } })
                cut.SetResult();
        });

        Assert.Equal(
            ["a1", "b1", "a2", "a3", "a2"],
            frames.OfType<EventFrame>().Select(frame => frame.Event.Stream + frame.Event.Seq));
        Assert.Equal("/api/events", server.Requests.First().Path);
        Assert.StartsWith("?streams=a%2Cb&", server.Requests.First().Query, StringComparison.Ordinal);
        Assert.Equal([null, "p1"], server.Requests.Select(request => request.LastEventId));
    }

    [Fact]
    public async Task A_pattern_goes_on_after_one_of_its_streams_has_ended()
    {
        await using var server = await ScriptedServer.StartAsync();
        server
            .ThenFrames(Sse.Connected("p0"), Sse.End("p1", "a.x"))
            .ThenFrames(Sse.Connected("p1"), Sse.End("p1", "a.x"), Sse.LooseEvent(1, "a.y"));
        using var client = TestClient.Of(server, _time);

        var frames = await TestClient.AllAsync(client.ReadAsync("a.*"));

        Assert.Equal([1], TestClient.Seqs(frames));
        Assert.Single(frames.OfType<EndFrame>());
        Assert.Equal("?streams=a.%2A", server.Requests.First().Query.Split('&')[0]);
        Assert.Equal(3, server.Requests.Count);
    }

    [Fact]
    public async Task Only_as_many_events_are_remembered_as_the_options_say()
    {
        await using var server = await ScriptedServer.StartAsync();
        server.ThenFrames(
            Sse.Connected("p0"), Sse.LooseEvent(1, "a"), Sse.LooseEvent(2, "a"), Sse.LooseEvent(3, "a"),
            Sse.LooseEvent(3, "a"), Sse.LooseEvent(1, "a"), Sse.End("p1", "a"));
        using var client = TestClient.Of(server, _time, TestClient.Patience with { RememberedEvents = 2 });

        var frames = await TestClient.AllAsync(client.ReadAsync(["a"]));

        Assert.Equal([1, 2, 3, 1], TestClient.Seqs(frames));
    }
}
