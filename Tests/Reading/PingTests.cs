using System.Net;
using OrleansEvents.Tests.Http;
using Xunit;

namespace OrleansEvents.Tests.Reading;

public sealed class PingTests
{
    [Fact]
    public async Task A_reader_that_answers_pings_is_kept()
    {
        await using var server = await TestServer.Start("--Sse:Ping", "0.1", "--Sse:PongTimeout", "600");
        await using var reader = await SseReader.Stream(server, "s", "pong=true");
        var connection = await reader.Connected();
        var seen = new HashSet<string>();
        for (var i = 0; i < 4; i++)
        {
            var id = (await reader.Next("ping")).Text("id");
            Assert.True(seen.Add(id));
            Assert.Equal("unknown", await Pong(server, connection, "x"));
            Assert.Equal("answered", await Pong(server, connection, id));
            Assert.Equal("already", await Pong(server, connection, id));
        }
        var known = await server.GetJson($"/api/connections/{connection}");
        Assert.True(known.GetProperty("pong").GetBoolean());
        Assert.EndsWith("Z", known.GetProperty("lastPing").GetString(), StringComparison.Ordinal);
        Assert.EndsWith("Z", known.GetProperty("lastPong").GetString(), StringComparison.Ordinal);
        var counts = server.Connections().Counts;
        Assert.Equal((4, 0, 0), (counts.PingsAnswered.Total, counts.PingsFailed.Total, counts.ErrorCount));
    }

    [Theory]
    [InlineData("1.1", "true")]
    [InlineData("1.1", "false")]
    [InlineData("2.0", "true")]
    public async Task A_reader_that_does_not_answer_is_told_and_closed(string version, string direct)
    {
        await using var server = await TestServer.Start("--Sse:Ping", "0.1", "--Sse:PongTimeout", "0.3",
            "--Sse:DirectSend", direct);
        await using var system = await SseReader.Stream(server, "$system");
        await system.Next("connected");
        await using var reader = await SseReader.Stream(server, "s", "pong=true&client=tab",
            version: new Version(version));
        var connection = await reader.Connected();
        var id = (await reader.Next("ping")).Text("id");
        await reader.Rest();
        Assert.True(reader.IsWhole);
        Assert.Equal(("problem", "STALE_CONNECTION"), (reader.Frames[^1].Event, reader.Frames[^1].Text("code")));
        Assert.Equal("warning", reader.Frames[^1].Text("severity"));
        Assert.Single(reader.Frames, frame => frame.Event == "ping");
        var said = (await system.Events(1))[0];
        Assert.Equal(("connection_error", "STALE_CONNECTION"), (said.Text("type"), said.Code()));
        Assert.Equal((connection, "s", "tab"), (said.Trouble("connection"), said.Trouble("stream"),
            said.Trouble("client")));
        await server.Left(1);
        (await server.Get($"/api/connections/{connection}")).MustRefuse(404, "NOT_FOUND");
        (await server.Ask(connection, "pong", id)).MustRefuse(404, "NOT_FOUND");
        using var lease = (await server.Engine().Follow("s")).Value!;
        await Given.Until(() => lease.Feed.Watchers == 0);
        Assert.Equal((1, 1), (server.Connections().Counts.StaleConnections.Total,
            server.Connections().Counts.ErrorCount));
        Assert.Equal(0, server.Connections().Counts.Disconnects.Total);
    }

    [Fact]
    public async Task A_stale_reader_is_closed_though_its_socket_takes_nothing()
    {
        await using var server = await TestServer.Start("--Sse:Ping", "0.1", "--Sse:PongTimeout", "0.5",
            "--Sse:WriteTimeout", "3600");
        await server.Configure("s", """{"buffer":100000,"bufferBytes":20000000}""");
        using var stalled = await RawConnection.Open(server.Address, receiveBuffer: 4096);
        await stalled.Request("GET", "/api/streams/s/events?pong=true", headers: "Accept: text/event-stream\r\n");
        await Given.Until(() => server.Connections().Counts.PingsSent.Total == 1);
        var data = $"\"{new string('x', 10_000)}\"";
        for (var i = 0; i < 1500; i++) await server.Engine().PublishFast("s", data);
        await server.Left(0);
        Assert.Equal(1, server.Connections().Counts.StaleConnections.Total);
    }

    [Fact]
    public async Task Who_did_not_ask_for_pings_gets_none_and_is_never_stale()
    {
        await using var server = await TestServer.Start("--Sse:Ping", "0.1", "--Sse:PongTimeout", "0.1");
        await using var reader = await SseReader.Stream(server, "s", "heartbeat=0.1");
        for (var i = 0; i < 5; i++) await reader.Next("heartbeat");
        Assert.DoesNotContain(reader.Frames, frame => frame.Event is "ping" or "problem");
        Assert.Equal("unknown", await Pong(server, reader.Frames[0].Text("connection"), "x"));
    }

    [Fact]
    public async Task What_is_asked_for_comes_on_the_event_path()
    {
        await using var server = await TestServer.Start();
        foreach (var version in new[] { HttpVersion.Version11, HttpVersion.Version20 })
        {
            await using var reader = await SseReader.Stream(server, "s", version: version);
            var connection = await reader.Connected();
            (await server.Ask(connection, "ping", "a \\\"b\\\"")).Must(HttpStatusCode.Accepted);
            Assert.Equal("a \"b\"", (await reader.Next("pong")).Text("id"));
            (await server.Ask(connection, "test", "t")).Must(HttpStatusCode.Accepted);
            Assert.Equal("t", (await reader.Next("test")).Text("id"));
            var made = (await server.Ask(connection, "test")).Must(HttpStatusCode.Accepted).Json;
            Assert.Equal(made.GetProperty("id").GetString(), (await reader.Next("test")).Text("id"));
            Assert.DoesNotContain(reader.Frames.Skip(1), frame => frame.Id is not null);
        }
    }

    [Fact]
    public async Task Ids_are_bounded()
    {
        await using var server = await TestServer.Start();
        await using var reader = await SseReader.Stream(server, "s");
        var connection = await reader.Connected();
        (await server.Ask(connection, "ping", new string('x', 100))).Must(HttpStatusCode.Accepted);
        (await server.Ask(connection, "ping", new string('x', 101))).MustRefuse(400, "INVALID_INPUT");
        (await server.Ask(connection, "ping", new string('x', 10_000))).MustRefuse(413, "EVENT_TOO_LARGE");
    }

    [Fact]
    public async Task A_connection_that_is_not_open_is_not_found()
    {
        await using var server = await TestServer.Start();
        (await server.Get("/api/connections/x")).MustRefuse(404, "NOT_FOUND");
        foreach (var what in new[] { "ping", "pong", "test" })
            (await server.Ask("x", what, "1")).MustRefuse(404, "NOT_FOUND");
    }

    [Fact]
    public async Task No_more_is_queued_for_a_reader_that_takes_nothing_than_the_bound()
    {
        await using var server = await TestServer.Start("--Sse:Notices", "3");
        using var stalled = await SlowReader.Stalled(server, "s");
        var connection = server.Connections().All.Single().Id;
        for (var i = 0; i < 3; i++) (await server.Ask(connection, "test", "x")).Must(HttpStatusCode.Accepted);
        foreach (var what in new[] { "ping", "test" })
            Assert.NotNull((await server.Ask(connection, what, "x")).Must(HttpStatusCode.TooManyRequests)
                .Header("Retry-After"));
    }

    private static async Task<string> Pong(TestServer server, string connection, string id)
    {
        var answer = (await server.Ask(connection, "pong", id)).Must(HttpStatusCode.OK).Json;
        Assert.Equal(id, answer.GetProperty("id").GetString());
        return answer.GetProperty("result").GetString()!;
    }
}
