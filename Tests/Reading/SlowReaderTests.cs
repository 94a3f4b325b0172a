using System.Net;
using OrleansEvents.Api.Sse;
using OrleansEvents.Tests.Http;
using Xunit;

namespace OrleansEvents.Tests.Reading;

public sealed class SlowReaderTests
{
    private const int Events = 1500;

    [Theory]
    [InlineData("direct")]
    [InlineData("pipe")]
    [InlineData("http2")]
    [InlineData("tls")]
    public async Task Who_reads_nothing_holds_up_nobody_and_is_told_what_it_missed(string way)
    {
        await using var server = await SlowReader.Server(way, "--Sse:WriteTimeout", "3600");
        using var stalled = await SlowReader.Open(server, "s", way);
        await server.Left(1);
        var connection = server.Connections().All.Single();
        await using var other = await SseReader.Stream(server, "s");
        await using var another = await SseReader.Stream(server, "s", version: new Version(2, 0));
        await PublishToAll(server, other, another);
        // All that time it has not read a byte, and what waits for it is not kept beyond the buffer.
        Assert.NotNull(connection.BlockedSinceMs);
        Assert.InRange(connection.Events, 0, Events - 101);
        Assert.DoesNotContain(other.Frames.Concat(another.Frames), frame => frame.Event is "gap" or "problem");
        Assert.Contains("\"reason\":\"slow\"", await stalled.Next("\"missed\":"), StringComparison.Ordinal);
        await stalled.Next($"\"seq\":{Events},");
        await Given.Until(() => connection.BlockedSinceMs is null);
        Assert.Equal(0, server.Connections().Counts.ErrorCount);
    }

    [Theory]
    [InlineData("direct")]
    [InlineData("pipe")]
    [InlineData("http2")]
    [InlineData("tls")]
    public async Task Who_takes_nothing_is_closed_and_said_so_while_others_get_everything(string way)
    {
        await using var server = await SlowReader.Server(way, "--Sse:WriteTimeout", "0.5");
        // Nothing is missed: all of it, more than the system's own buffers hold, is to go to who takes nothing.
        (await server.Put("/api/streams/s", """{"buffer":2000,"bufferBytes":67108864}""")).Must(HttpStatusCode.Created);
        await using var system = await SseReader.Stream(server, "$system");
        await system.Next("connected");
        using var stalled = await SlowReader.Open(server, "s", way);
        await server.Left(2);
        var connection = server.Connections().All.Single(each => each.Streams == "s");
        await using var other = await SseReader.Stream(server, "s");
        await PublishToAll(server, other);
        var said = (await system.Events(1))[0];
        Assert.Equal(("connection_error", "SLOW_CLIENT"), (said.Text("type"), said.Code()));
        Assert.Equal(connection.Id, said.Trouble("connection"));
        await server.Left(2);
        Assert.True(connection.IsClosed);
        Assert.Single(system.Frames, frame => frame.IsEvent);
        var counts = server.Connections().Counts;
        Assert.Equal((1, 0, 1), (counts.SlowClientDrops.Total, counts.Disconnects.Total, counts.ErrorCount));
    }

    [Theory]
    [InlineData("direct")]
    [InlineData("pipe")]
    [InlineData("http2")]
    [InlineData("tls")]
    public async Task Beyond_what_may_wait_for_slow_readers_the_slowest_is_closed(string way)
    {
        const int Most = 4 << 20;
        await using var server = await SlowReader.Server(way, "--Sse:WriteTimeout", "3600", "--Limits:UnsentBytes",
            $"{Most}", "--Limits:EventBytes", "1000000");
        var (unsent, counts) = (server.Connections().Unsent, server.Connections().Counts);
        var readers = new List<SlowReader>();
        // Each waits with an event of its own stream, or what is left of one, until they are too many.
        while (counts.SlowClientDrops.Total == 0)
        {
            Assert.InRange(readers.Count, 0, 200);
            var stream = $"s{readers.Count}";
            // Of different lengths, so that the kernel does not leave as little of each.
            var data = $"\"{new string('x', 100_000 + readers.Count % 17 * 47_000)}\"";
            readers.Add(await SlowReader.Open(server, stream, way));
            await server.Left(readers.Count);
            await SlowReader.Stall(server, server.Connections().All.Single(each => each.Streams == stream), data, 4);
            Assert.InRange(unsent.Total, 0, Most);
        }
        // The one that was slow for longest, and not those that are slow for less.
        await Given.Until(() => server.Connections().All.All(each => each.Streams != "s0"));
        Assert.InRange(counts.SlowClientDrops.Total, 1, readers.Count / 2);
        foreach (var reader in readers) reader.Dispose();
        await server.Left(0);
        Assert.Equal(0, unsent.Total);
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
        await server.Left(0);
        using var lease = (await server.Engine().Follow("b")).Value!;
        await Given.Until(() => lease.Feed.Watchers == 0);
        Assert.Equal(1, (await server.Engine().Describe("b")).Value!.Readers);
    }

    /// <summary>Publishes, and reads with each what was published before there is more.</summary>
    private static async Task PublishToAll(TestServer server, params SseReader[] others)
    {
        foreach (var other in others) await other.Next("connected");
        var engine = server.Engine();
        for (var seq = 1; seq <= Events; seq += 5)
        {
            // Never more on its way than pipes hold: the others are not slow, however busy the machine.
            for (var i = 0; i < 5; i++) await engine.PublishFast("s", SlowReader.Data);
            foreach (var other in others)
                Assert.Equal(seq.To(seq + 4).Select(each => (long)each),
                    (await other.Events(5)).Select(each => each.Seq));
        }
    }
}
