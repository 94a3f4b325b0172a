using System.Net;
using System.Text.Json;
using Xunit;

namespace OrleansEvents.Tests.Http;

public sealed class TraceParentTests(SharedServer shared) : IClassFixture<SharedServer>
{
    private const string Trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    private const string Own = "00-0af7651916cd43dd8448eb211c80319c-b9c7c989f97918e1-fe";
    private readonly TestServer _server = shared.Server;

    [Fact]
    public async Task A_requests_trace_context_is_the_last_member_of_each_of_its_events()
    {
        await _server.Publish("each", Given.Events(3), ("traceparent", Trace));
        await _server.Publish("each", Given.Event(3, ",\"key\":\"k\""), ("traceparent", Trace));
        await _server.Publish("each", Given.Event(4));
        var events = (await _server.Events("each")).Select(each => each.GetRawText()).ToList();
        Assert.All(events[..3], text => Assert.Matches($"\"data\":\\d,\"traceparent\":\"{Trace}\"\\}}$", text));
        Assert.EndsWith($$""","key":"k","traceparent":"{{Trace}}"}""", events[3], StringComparison.Ordinal);
        Assert.EndsWith("\"data\":4}", events[4], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(Trace, Trace)]
    [InlineData(Own, Own)]
    [InlineData("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0f", Trace)]
    [InlineData("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-comes", Trace)]
    [InlineData("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01.what", null)]
    [InlineData("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more", null)]
    [InlineData("ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", null)]
    [InlineData("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", null)]
    [InlineData("00-00000000000000000000000000000000-00f067aa0ba902b7-01", null)]
    [InlineData("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", null)]
    [InlineData("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0", null)]
    [InlineData("00-4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7-01", null)]
    [InlineData("00-4bf92f3577b34da6a3ce929d0e0e473\"-00f067aa0ba902b7-01", null)]
    [InlineData("nonsense", null)]
    [InlineData("", null)]
    public async Task A_malformed_trace_context_is_ignored(string header, string? carried)
    {
        await _server.Publish("forms", Given.Event(1), ("traceparent", header));
        var @event = (await _server.Events("forms"))[^1];
        Assert.Equal(carried, @event.TryGetProperty("traceparent", out var trace) ? trace.GetString() : null);
    }

    [Fact]
    public async Task Two_trace_contexts_are_none()
    {
        using var connection = await _server.Connect();
        await connection.Request("POST", "/api/streams/two/events", Given.Event(1),
            $"traceparent: {Trace}\r\ntraceparent: {Own}\r\n");
        (await connection.Receive()).Must(HttpStatusCode.Created);
        Assert.False((await _server.Events("two"))[0].TryGetProperty("traceparent", out _));
    }

    [Fact]
    public async Task An_event_does_not_carry_it_as_a_member_of_its_own()
    {
        (await _server.TryPublish("member", Given.Event(1, $",\"traceparent\":\"{Trace}\"")))
            .MustRefuse(400, "INVALID_INPUT");
    }

    [Fact]
    public async Task A_CloudEvents_own_comes_before_the_requests()
    {
        static string Event(int id, string more) =>
            $$"""{"specversion":"1.0","type":"t","id":"{{id}}","source":"/s"{{more}}}""";
        (await _server.Structured("own", Event(1, $",\"traceparent\":\"{Own}\""), ("traceparent", Trace)))
            .Must(HttpStatusCode.Created);
        (await _server.Structured("own", Event(2, ""), ("traceparent", Trace))).Must(HttpStatusCode.Created);
        (await _server.Structured("own", Event(3, ",\"traceparent\":\"bad\""), ("traceparent", Trace)))
            .Must(HttpStatusCode.Created);
        (await _server.Binary("own", null, [], [.. CloudEventPublishing.Required.Where(each => each.Item1 != "ce-id"),
            ("ce-id", "4"), ("ce-traceparent", Own), ("traceparent", Trace)])).Must(HttpStatusCode.Created);
        var events = await _server.Events("own");
        Assert.Equal([Own, Trace, Trace, Own], events.Select(each => each.GetProperty("traceparent").GetString()));
        Assert.Equal([Own, null, "bad", Own], events.Select(each =>
            each.GetProperty("cloudevent").TryGetProperty("traceparent", out var kept) ? kept.GetString() : null));
        Assert.All(events, each => Assert.Equal("traceparent", each.EnumerateObject().Last().Name));
    }

    [Fact]
    public async Task An_attempt_stands_before_it_also_after_a_restart()
    {
        await using var server = await TestServer.StartOnDisk();
        await server.Publish("s", Given.Critical(1, ",\"key\":\"k\""), ("traceparent", Trace));
        await server.Publish("s", $$"""{"type":"t","data":{"traceparent":"{{Trace}}"},"critical":true}""");
        (await server.Structured("s", $$"""
            {"specversion":"1.0","type":"t","id":"1","source":"/s","critical":true,"traceparent":"{{Own}}"}
            """)).Must(HttpStatusCode.Created);
        for (var start = 0; start < 2; start++)
        {
            await server.Poll("s", "subscriber=n");
            var pending = (await server.GetJson("/api/streams/s/subscribers/n/pending")).GetProperty("events");
            string[] envelope = ["id", "seq", "stream", "type", "version", "time", "critical", "data"];
            Assert.Equal([
                [.. envelope, "key", "attempt", "nextRetry", "history", "traceparent"],
                [.. envelope, "attempt", "nextRetry", "history"],
                [.. envelope, "key", "cloudevent", "attempt", "nextRetry", "history", "traceparent"]],
                pending.EnumerateArray().Select(Names));
            Assert.Equal([Trace, Own], pending.EnumerateArray().Where(each => each.TryGetProperty("traceparent", out _))
                .Select(each => each.GetProperty("traceparent").GetString()));
            await server.Restart();
        }
    }

    private static string[] Names(JsonElement @event) =>
        [.. @event.EnumerateObject().Select(member => member.Name)];
}
