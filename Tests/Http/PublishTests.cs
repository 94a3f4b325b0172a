using System.Net;
using System.Text;
using System.Text.Json;
using Xunit;

namespace OrleansEvents.Tests.Http;

public sealed class PublishTests
{
    private const string Events = "/api/streams/s/events";

    [Fact]
    public async Task One_event_is_answered_with_where_it_is()
    {
        await using var server = await TestServer.Start();
        var answer = (await server.TryPublish("s", """{"type":"t","data":{"a":1}}""")).Must(HttpStatusCode.Created);
        Assert.Equal("application/json", answer.Header("Content-Type"));
        Assert.Equal(["stream", "first", "last", "cursor", "count", "duplicates", "durable"],
            answer.Json.EnumerateObject().Select(member => member.Name));
        Assert.Equal("s", answer.Json.GetProperty("stream").GetString());
        Assert.Equal(1, answer.Json.GetProperty("count").GetInt32());
        Assert.False(answer.Json.GetProperty("durable").GetBoolean());
        var @event = (await server.Poll("s")).GetProperty("events")[0];
        Assert.Equal(answer.Json.GetProperty("cursor").GetString(), @event.GetProperty("id").GetString());
        Assert.Equal(answer.Json.GetProperty("first").GetInt64(), @event.GetProperty("seq").GetInt64());
    }
}
