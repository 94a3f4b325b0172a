using System.Net;
using Xunit;

namespace OrleansEvents.Tests.Http;

public sealed class CriticalTests(SharedServer shared) : IClassFixture<SharedServer>
{
    private readonly TestServer _server = shared.Server;

    [Theory]
    [InlineData("""{"type":"error_event","data":{"errorType":"x","message":"y"}}""", true)]
    [InlineData("""{"type":"error_event","data":{},"critical":false}""", false)]
    [InlineData("""{"type":"server_status","data":{"status":"error","message":"m"}}""", true)]
    [InlineData("""{"type":"server_status","data":{"message":"m","status":"stopped"}}""", true)]
    [InlineData("""{"type":"server_status","data":{"status":"running"}}""", false)]
    [InlineData("""{"type":"server_status","data":"error"}""", false)]
    [InlineData("""{"type":"log_entry","data":{"type":"error","content":"c"}}""", false)]
    [InlineData("""{"type":"log_entry","data":{},"critical":true}""", true)]
    public async Task The_rules_decide_when_the_publisher_does_not_say(string @event, bool critical)
    {
        var stream = $"rule-{@event.Length}-{critical}";
        var answer = await _server.Publish(stream, @event);
        Assert.Equal(critical, answer.GetProperty("durable").GetBoolean());
        var published = (await _server.Poll(stream)).GetProperty("events").EnumerateArray().Last();
        Assert.Equal(critical, published.GetProperty("critical").GetBoolean());
    }

    [Fact]
    public async Task A_streams_own_rules_take_the_place_of_the_defaults()
    {
        var settings = (await _server.Put("/api/streams/rules",
            """{"critical":["pay",{"type":"note","where":{"level":["high"]}}]}""")).Must(HttpStatusCode.Created);
        Assert.Equal("""["pay",{"type":"note","where":{"level":["high"]}}]""",
            settings.Json.GetProperty("critical").GetRawText());
        async Task<bool> Durable(string @event) =>
            (await _server.Publish("rules", @event)).GetProperty("durable").GetBoolean();
        Assert.True(await Durable("""{"type":"pay","data":1}"""));
        Assert.True(await Durable("""{"type":"note","data":{"level":"high"}}"""));
        Assert.False(await Durable("""{"type":"note","data":{"level":"low"}}"""));
        Assert.False(await Durable("""{"type":"error_event","data":{}}"""));
    }

    [Fact]
    public async Task A_request_that_holds_a_critical_event_is_logged_whole()
    {
        var answer = await _server.Publish("whole", $"[{Given.Event(0)},{Given.Critical(1)},{Given.Event(2)}]");
        Assert.True(answer.GetProperty("durable").GetBoolean());
        Assert.Equal(3, (await _server.Get("/api/streams/whole")).Json.GetProperty("storedEvents").GetInt32());
        var flags = (await _server.Events("whole")).Select(each => each.GetProperty("critical").GetBoolean());
        Assert.Equal([false, true, false], flags);
    }

    [Fact]
    public async Task On_a_durable_stream_every_event_is_on_storage_and_outlives_the_buffer()
    {
        await using var server = await TestServer.StartOnDisk();
        (await server.Put("/api/streams/s", """{"durable":true,"buffer":2}""")).Must(HttpStatusCode.Created);
        var answer = await server.Publish("s", Given.Events(10));
        Assert.True(answer.GetProperty("durable").GetBoolean());
        string[] all = [.. Enumerable.Range(0, 10).Select(i => $"{i}")];
        Assert.Equal(all, await server.DataOf("s"));
        await server.Restart();
        Assert.Equal(all, await server.DataOf("s"));
        Assert.False((await server.Poll("s")).TryGetProperty("gap", out _));
    }
}
