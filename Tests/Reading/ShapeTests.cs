using OrleansEvents.Tests.Http;
using Xunit;

namespace OrleansEvents.Tests.Reading;

public sealed class ShapeTests
{
    [Fact]
    public async Task Only_the_types_that_are_asked_for_come()
    {
        await using var server = await TestServer.Start();
        await server.Publish("s",
            """[{"type":"a","data":1},{"type":"b","data":2},{"type":"ab","data":3},{"type":"\"ü\\","data":4}]""");
        await using var reader = await SseReader.Stream(server, "s", "types=b,%22%C3%BC%5C");
        Assert.Equal([2, 4], (await reader.Events(2)).Numbers());
        Assert.Equal([2, 4], (await server.Poll("s", "types=b,%22%C3%BC%5C")).NumbersOf());
    }

    [Theory]
    [InlineData("🚀")]
    [InlineData("a&b<c>'d+e")]
    [InlineData("a\u00a0b")]
    public async Task A_type_is_asked_for_as_it_was_published(string type)
    {
        await using var server = await TestServer.Start();
        await server.Publish("s", $$"""[{"type":"other","data":1},{"type":"{{type}}","data":2}]""");
        Assert.Equal([2], (await server.Poll("s", $"types={Uri.EscapeDataString(type)}")).NumbersOf());
    }

    [Fact]
    public async Task Names_are_the_types_but_for_those_that_are_reserved()
    {
        await using var server = await TestServer.Start();
        string[] reserved =
            ["connected", "heartbeat", "ping", "pong", "test", "gap", "problem", "end", "message", "open", "error"];
        await server.Publish("s", $"[{string.Join(',', reserved.Select(type => $$"""{"type":"{{type}}","data":0}"""))},"
            + """{"type":"a\\\"ü","data":1},{"type":"last","data":2}]""");
        await using var reader = await SseReader.Stream(server, "s", "names=true");
        await reader.Next("connected");
        foreach (var type in reserved)
        {
            var frame = (await reader.Next())!;
            Assert.Null(frame.Event);
            Assert.Equal(type, frame.Text("type"));
        }
        Assert.Equal("a\\\"ü", (await reader.Next())!.Event);
        var last = (await reader.Next())!;
        Assert.Equal("last", last.Event);
        Assert.Equal(last.Id, last.Text("id"));
    }

    [Fact]
    public async Task Raw_is_the_data_alone()
    {
        await using var server = await TestServer.Start();
        await server.Publish("s", "[{\"type\":\"a\",\"data\":{\"x\":\r\n [1, \"y\"]}},{\"type\":\"b\",\"data\":null}]");
        await using var reader = await SseReader.Stream(server, "s", "raw=true&names=true");
        await reader.Next("connected");
        var first = (await reader.Next("a"));
        Assert.Equal([1, 2], [1, first.Json.GetProperty("x").GetArrayLength()]);
        Assert.NotNull(first.Id);
        Assert.Equal("null", (await reader.Next("b")).Data);
    }

    [Fact]
    public async Task Raw_patches_come_one_operation_a_frame_and_only_the_last_moves_the_cursor()
    {
        await using var server = await TestServer.Start();
        await server.Publish("s", """
            [{"type":"state_patch","data":[{"op":"add","path":"/a","value":[1]},{"op":"remove","path":"/b"}]},
             {"type":"state_patch","data":[]},{"type":"state_patch","data":{"op":"add"}},{"type":"x","data":[1,2]}]
            """);
        var ids = (await server.Poll("s")).IdsOf();
        await using var reader = await SseReader.Stream(server, "s", "raw=true");
        var frames = await reader.Events(4);
        Assert.Equal(["""{"op":"add","path":"/a","value":[1]}""", """{"op":"remove","path":"/b"}""", """{"op":"add"}""",
            "[1,2]"], frames.Select(frame => frame.Data));
        Assert.Equal([null, ids[0], ids[2], ids[3]], frames.Select(frame => frame.Id));
    }

    [Theory]
    [InlineData("/api/events", "database")]
    [InlineData("/api/events/", "database")]
    [InlineData("/api/events/processes/42/logs", "processes.42.logs")]
    [InlineData("/api/events/task-attempts/a_b/diff", "task-attempts.a_b.diff")]
    public async Task Short_forms_are_raw_reads(string path, string stream)
    {
        await using var server = await TestServer.Start();
        await server.Publish(stream, """{"type":"t","data":{"x":1}}""");
        await using var reader = await SseReader.Open(server.Address, path);
        Assert.Equal(stream, (await reader.Next("connected")).Text("stream"));
        Assert.Equal("""{"x":1}""", (await reader.Next())!.Data);
    }
}
