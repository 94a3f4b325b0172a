using System.Net;
using OrleansEvents.Tests.Http;
using Xunit;

namespace OrleansEvents.Tests.Reading;

public sealed class ConnectedTests
{
    [Theory]
    [InlineData("1.1")]
    [InlineData("2.0")]
    public async Task The_first_frame_says_where_the_reader_is(string version)
    {
        await using var server = await TestServer.Start();
        await server.Numbers("s", 1, 3);
        await using var reader = await SseReader.Stream(server, "s", version: new Version(version));
        Assert.Equal(HttpStatusCode.OK, reader.Status);
        Assert.Equal(version, reader.Version.ToString());
        Assert.Equal("text/event-stream", reader.ContentType);
        var connected = (await reader.Next())!;
        Assert.Equal("connected", connected.Event);
        Assert.Equal(["connection", "stream", "head", "oldest", "pending", "heartbeat"],
            connected.Json.Members());
        Assert.Equal("s", connected.Text("stream"));
        Assert.Equal(10, connected.Json.GetProperty("heartbeat").GetDouble());
        Assert.Equal(connected.Text("oldest"), connected.Id);
        var events = await reader.Events(3);
        Assert.Equal([1, 2, 3], events.Numbers());
        Assert.Equal(connected.Text("head"), events[^1].Id);
        Assert.All(events, each => Assert.Equal(each.Id, each.Text("id")));
        Assert.Equal(["id", "seq", "stream", "type", "version", "time", "critical", "data"],
            events[0].Json.Members());
    }

    [Fact]
    public async Task Retry_times_are_jittered_around_the_setting()
    {
        await using var server = await TestServer.Start("--Sse:Retry", "2");
        var seen = new HashSet<long>();
        for (var i = 0; i < 8; i++)
        {
            await using var reader = await SseReader.Stream(server, "s");
            var retry = (await reader.Next())!.Retry!.Value;
            Assert.InRange(retry, 1000, 3000);
            seen.Add(retry);
        }
        Assert.True(seen.Count > 1);
    }

    [Fact]
    public async Task Head_is_answered_at_once_without_a_body()
    {
        await using var server = await TestServer.Start();
        var answer = await server.Send(HttpMethod.Head, "/api/streams/s/events", (string?)null,
            ("Accept", "text/event-stream"));
        answer.Must(HttpStatusCode.OK);
        Assert.Equal("text/event-stream", answer.Header("Content-Type"));
        Assert.Empty(answer.Body);
    }

    [Fact]
    public async Task A_position_is_where_the_line_begins()
    {
        await using var server = await TestServer.Start();
        await server.Numbers("s", 1, 5);
        var ids = (await server.Poll("s")).IdsOf();
        await using var absent = await SseReader.Stream(server, "s");
        await using var zero = await SseReader.Stream(server, "s", "after=0");
        await using var head = await SseReader.Stream(server, "s", "after=$");
        await using var third = await SseReader.Stream(server, "s", $"after={ids[2]}");
        await using var header = await SseReader.Stream(server, "s", $"after={ids[0]}", lastEventId: ids[3]);
        await using var beaten = await SseReader.Stream(server, "s", "after=%20nonsense", lastEventId: ids[3]);
        foreach (var reader in new[] { absent, zero, head, third, header, beaten })
            Assert.NotNull((await reader.Next())!.Id);
        Assert.Equal(ids[2], third.Frames[0].Id);
        Assert.Equal(ids[4], head.Frames[0].Id);
        await server.Numbers("s", 6, 6);
        Assert.Equal(1.To(6), (await absent.Events(6)).Numbers());
        Assert.Equal(1.To(6), (await zero.Events(6)).Numbers());
        Assert.Equal([6], (await head.Events(1)).Numbers());
        Assert.Equal([4, 5, 6], (await third.Events(3)).Numbers());
        Assert.Equal([5, 6], (await header.Events(2)).Numbers());
        Assert.Equal([5, 6], (await beaten.Events(2)).Numbers());
    }

    [Theory]
    [InlineData("nonsense")]
    [InlineData("AAAAAAAAAAAAAAAAAAAA")]
    [InlineData("!\"#")]
    public async Task An_unknown_Last_Event_ID_is_a_reset_and_the_whole_buffer(string id)
    {
        await using var server = await TestServer.Start();
        await server.Numbers("s", 1, 3);
        await using var reader = await SseReader.Stream(server, "s", lastEventId: id);
        Assert.Equal("connected", (await reader.Next())!.Event);
        var gap = (await reader.Next())!;
        Assert.Equal("gap", gap.Event);
        Assert.Equal("reset", gap.Text("reason"));
        Assert.Equal(gap.Id, gap.Text("resumedAt"));
        Assert.Equal([1, 2, 3], (await reader.Events(3)).Numbers());
    }

    [Theory]
    [InlineData("")]
    [InlineData("after=0")]
    [InlineData("after=$")]
    public async Task Reading_a_stream_that_does_not_exist_waits_for_it(string query)
    {
        await using var server = await TestServer.Start();
        await using var reader = await SseReader.Stream(server, "later", query);
        var connected = (await reader.Next())!;
        Assert.Equal("0", connected.Id);
        await server.Numbers("later", 1, 3);
        Assert.Equal([1, 2, 3], (await reader.Events(3)).Numbers());
        await using var again = await SseReader.Stream(server, "later", lastEventId: connected.Id);
        Assert.Equal([1, 2, 3], (await again.Events(3)).Numbers());
    }

    [Theory]
    [InlineData("1.1")]
    [InlineData("2.0")]
    public async Task History_and_what_is_published_meanwhile_join_without_a_seam(string version)
    {
        const int Count = 2000;
        await using var server = await TestServer.Start();
        await server.Configure("s", $$"""{"buffer":{{Count}}}""");
        var engine = server.Engine();
        var publishing = Task.Run(async () =>
        {
            for (var i = 1; i <= Count; i++)
            {
                await engine.PublishFast("s", i.ToString(System.Globalization.CultureInfo.InvariantCulture));
                if (i % 20 == 0) await Task.Delay(1);
            }
        });
        async Task Read()
        {
            await using var reader = await SseReader.Stream(server, "s", version: new Version(version));
            Assert.Equal(1.To(Count), (await reader.Events(Count)).Numbers());
            Assert.DoesNotContain(reader.Frames, frame => frame.Event == "gap");
        }
        var readers = new List<Task>();
        for (var i = 0; i < 24; i++)
        {
            readers.Add(Read());
            await Task.Yield();
        }
        await publishing;
        await Task.WhenAll(readers);
    }
}
