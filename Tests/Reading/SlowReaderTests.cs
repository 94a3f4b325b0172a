using OrleansEvents.Tests.Http;
using Xunit;

namespace OrleansEvents.Tests.Reading;

public sealed class SlowReaderTests
{
    private static readonly string s_data = $"\"{new string('x', 10_000)}\"";

    [Fact]
    public async Task A_socket_that_takes_nothing_is_closed_and_said_so_while_others_get_everything()
    {
        await using var server = await TestServer.Start("--Sse:WriteTimeout", "0.5");
        await server.Configure("s", """{"buffer":100000,"bufferBytes":20000000}""");
        await using var system = await SseReader.Stream(server, "$system");
        await system.Next("connected");
        using var stalled = await RawConnection.Open(server.Address, receiveBuffer: 4096);
        await stalled.Request("GET", "/api/streams/s/events", headers: "Accept: text/event-stream\r\n");
        await using var other = await SseReader.Stream(server, "s");
        await other.Next("connected");
        var engine = server.Engine();
        for (var seq = 1; seq <= 1500; seq += 5)
        {
            // Never more on its way than pipes hold: the other is not slow, however busy the machine.
            for (var i = 0; i < 5; i++) await engine.PublishFast("s", s_data);
            Assert.Equal(seq.To(seq + 4).Select(each => (long)each), (await other.Events(5)).Select(each => each.Seq));
        }
        var said = (await system.Events(1))[0];
        Assert.Equal(("connection_error", "SLOW_CLIENT"), (said.Text("type"), said.Code()));
        await Given.Until(() => Connections(server) == 2);
        Assert.Single(system.Frames, frame => frame.IsEvent);
    }

    [Fact]
    public async Task A_stalled_stream_of_an_HTTP2_connection_is_closed_and_the_others_go_on()
    {
        await using var server = await TestServer.Start("--Sse:WriteTimeout", "0.5");
        await server.Configure("s", """{"buffer":100000,"bufferBytes":20000000}""");
        await using var system = await SseReader.Stream(server, "$system");
        await system.Next("connected");
        await using var stalled = await SseReader.Stream(server, "s", version: new Version(2, 0));
        await stalled.Next("connected");
        var engine = server.Engine();
        for (var i = 0; i < 1500; i++) await engine.PublishFast("s", s_data);
        Assert.Equal("SLOW_CLIENT", (await system.Events(1))[0].Code());
        await Given.Until(() => Connections(server) == 1);
    }

    [Fact]
    public async Task A_reader_that_leaves_is_let_go()
    {
        await using var server = await TestServer.Start("--Streams:IdleAfter", "0.1");
        for (var i = 0; i < 5; i++)
        {
            await using var reader = await SseReader.Many(server, "a.*,b,>");
            await server.Numbers("b", i, i);
            await reader.Next("connected");
        }
        await Given.Until(() => Connections(server) == 0);
        using var lease = (await server.Engine().Follow("b")).Value!;
        await Given.Until(() => lease.Feed.Watchers == 0);
        Assert.Equal(1, (await server.Engine().Describe("b")).Value!.Readers);
    }

    private static int Connections(TestServer server) => ((Api.Sse.ConnectionTable)server.Running.App.Services
        .GetService(typeof(Api.Sse.ConnectionTable))!).Count;
}
