using System.Net;
using Xunit;

namespace OrleansEvents.Tests.Http;

public sealed class SubscriberTests(SharedServer shared) : IClassFixture<SharedServer>
{
    private readonly TestServer _server = shared.Server;

    [Fact]
    public async Task Subscribers_are_listed_and_looked_at()
    {
        await _server.Publish("list", Given.Critical(1));
        var first = (await _server.Poll("list", "subscriber=b")).GetProperty("events")[0].GetProperty("id").GetString();
        await _server.Poll("list", "subscriber=a");
        await _server.Post("/api/streams/list/subscribers/b/ack", $$"""{"ids":["{{first}}"]}""");
        var listed = (await _server.GetJson("/api/streams/list/subscribers")).GetProperty("subscribers");
        Assert.Equal(["a", "b"], listed.EnumerateArray().Select(each => each.GetProperty("subscriber").GetString()));
        Assert.Equal([1, 0], listed.EnumerateArray().Select(each => each.GetProperty("pending").GetInt32()));
        var one = (await _server.Get("/api/streams/list/subscribers/b")).Must(HttpStatusCode.OK).Json;
        Assert.Equal(["subscriber", "pending", "inFlight", "deadLetters", "connections", "acknowledged", "statistics",
            "policy", "expires", "created", "lastSeen"],
            one.EnumerateObject().Select(member => member.Name));
        Assert.Equal(first, one.GetProperty("acknowledged").GetString());
        (await _server.Get("/api/streams/list/subscribers/c")).MustRefuse(404, "NOT_FOUND");
        (await _server.Get("/api/streams/nowhere/subscribers")).MustRefuse(404, "NOT_FOUND");
        (await _server.Get("/api/streams/list/subscribers/a.b")).MustRefuse(400, "INVALID_INPUT");
    }

    [Fact]
    public async Task What_the_others_have_acknowledged_before_a_subscriber_came_it_reads_as_anybody()
    {
        await using var server = await TestServer.Start();
        (await server.Put("/api/streams/s/subscribers/a", "{}")).Must(HttpStatusCode.Created);
        var first = (await server.Publish("s", Given.Critical(1))).GetProperty("cursor").GetString();
        await server.Post("/api/streams/s/subscribers/a/ack", $$"""{"ids":["{{first}}"]}""");
        await Eventually.True(async () =>
            (await server.GetJson("/api/streams/s")).GetProperty("storedEvents").GetInt32() == 0);
        (await server.Put("/api/streams/s/subscribers/b", "{}")).Must(HttpStatusCode.Created);
        var second = (await server.Publish("s", Given.Critical(2))).GetProperty("cursor").GetString();
        var owed = await server.Poll("s", "subscriber=b&limit=1");
        Assert.Equal(second, Assert.Single(owed.GetProperty("events").EnumerateArray()).GetProperty("id").GetString());
        await server.Post("/api/streams/s/subscribers/b/ack", $$"""{"ids":["{{second}}"]}""");
        var line = await server.Poll("s", "subscriber=b");
        Assert.Equal(first, Assert.Single(line.GetProperty("events").EnumerateArray()).GetProperty("id").GetString());
    }

    [Fact]
    public async Task A_removed_subscriber_is_not_registered_again_by_reading_not_even_after_a_restart()
    {
        await using var server = await TestServer.StartOnDisk();
        await server.Publish("s", Given.Critical(1));
        await server.Poll("s", "subscriber=n");
        (await server.Delete("/api/streams/s/subscribers/n")).Must(HttpStatusCode.NoContent);
        for (var start = 0; start < 2; start++)
        {
            (await server.Get("/api/streams/s/events?subscriber=n")).Must(HttpStatusCode.NoContent);
            (await server.Get("/api/streams/s/events?subscriber=n", ("Accept", "text/event-stream")))
                .Must(HttpStatusCode.NoContent);
            (await server.Get("/api/streams/s/subscribers/n")).MustRefuse(404, "NOT_FOUND");
            (await server.Get("/api/streams/s/subscribers/n/pending")).MustRefuse(404, "NOT_FOUND");
            (await server.Post("/api/streams/s/subscribers/n/ack", """{"ids":["x"]}""")).MustRefuse(404, "NOT_FOUND");
            (await server.Delete("/api/streams/s/subscribers/n")).MustRefuse(404, "NOT_FOUND");
            Assert.Single((await server.Poll("s", "subscriber=other")).GetProperty("events").EnumerateArray());
            await server.Restart();
        }
    }

    [Fact]
    public async Task What_only_a_removed_subscriber_was_owed_is_trimmed_for_those_that_are_left()
    {
        await _server.Publish("trim", Given.Critical(1));
        foreach (var name in new[] { "gone", "here" }) await _server.Poll("trim", $"subscriber={name}");
        var id = (await _server.Poll("trim")).GetProperty("events")[0].GetProperty("id").GetString();
        await _server.Post("/api/streams/trim/subscribers/here/ack", $$"""{"ids":["{{id}}"]}""");
        Assert.Equal(1, (await _server.Get("/api/streams/trim")).Json.GetProperty("storedEvents").GetInt32());
        (await _server.Delete("/api/streams/trim/subscribers/gone")).Must(HttpStatusCode.NoContent);
        await Eventually.True(async () =>
            (await _server.GetJson("/api/streams/trim")).GetProperty("storedEvents").GetInt32() == 0);
    }
}
