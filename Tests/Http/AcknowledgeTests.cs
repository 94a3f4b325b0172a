using System.Net;
using System.Text.Json;
using Xunit;

namespace OrleansEvents.Tests.Http;

public sealed class AcknowledgeTests(SharedServer shared) : IClassFixture<SharedServer>
{
    private readonly TestServer _server = shared.Server;

    [Fact]
    public async Task Ids_are_acknowledged_already_acknowledged_or_unknown()
    {
        var ids = await Owed(_server, "ids", 3);
        var ordinary = (await _server.Publish("ids", Given.Event(9))).GetProperty("cursor").GetString();
        Assert.Equal(["acknowledged", "acknowledged"], await Acknowledge("ids", [ids[2], ids[0]]));
        Assert.Equal(["already", "acknowledged", "unknown", "unknown"],
            await Acknowledge("ids", [ids[0], ids[1], ordinary!, "nonsense"]));
        Assert.Empty(await Pending(_server, "ids"));
        Assert.Equal(["already", "already", "already"], await Acknowledge("ids", ids));
    }

    [Fact]
    public async Task The_answer_repeats_the_ids_in_order()
    {
        var ids = await Owed(_server, "order", 2);
        var answer = (await _server.Post("/api/streams/order/subscribers/n/ack", Ids([ids[1], "x'y", ids[0]])))
            .Must(HttpStatusCode.OK);
        Assert.Equal([ids[1], "x'y", ids[0]], answer.Json.GetProperty("results").EnumerateArray()
            .Select(each => each.GetProperty("id").GetString()));
    }

    [Theory]
    [InlineData("return=minimal")]
    [InlineData("wait=5, Return=Minimal")]
    public async Task Who_prefers_a_minimal_answer_gets_counts(string preference)
    {
        var stream = $"minimal-{preference.Length}";
        var ids = await Owed(_server, stream, 3);
        await Acknowledge(stream, [ids[0]]);
        var answer = (await _server.Post($"/api/streams/{stream}/subscribers/n/ack",
            Ids([ids[0], ids[1], ids[2], "nonsense"]), ("Prefer", preference))).Must(HttpStatusCode.OK);
        Assert.Equal("""{"acknowledged":2,"already":1,"unknown":1}""", answer.Text);
        Assert.Equal("return=minimal", answer.Header("Preference-Applied"));
        Assert.Empty(await Pending(_server, stream));
    }

    [Theory]
    [InlineData("return=representation")]
    [InlineData("wait=5")]
    public async Task Another_preference_changes_nothing(string preference)
    {
        var stream = $"other-{preference.Length}";
        var ids = await Owed(_server, stream, 1);
        var answer = (await _server.Post($"/api/streams/{stream}/subscribers/n/ack", Ids(ids),
            ("Prefer", preference))).Must(HttpStatusCode.OK);
        Assert.Equal(1, answer.Json.GetProperty("results").GetArrayLength());
        Assert.Null(answer.Header("Preference-Applied"));
    }

    [Fact]
    public async Task Up_to_a_cursor_only_what_was_delivered_is_acknowledged()
    {
        var ids = await Owed(_server, "upto", 4);
        var later = (await _server.Publish("upto", Given.Critical(4))).GetProperty("cursor").GetString()!;
        Assert.Equal(ids[..2], await AcknowledgeUpTo("upto", ids[1]));
        Assert.Equal(["2", "3", "4"], (await Pending(_server, "upto")).Select(each => each.Data));
        Assert.Equal(ids[2..], await AcknowledgeUpTo("upto", later));
        Assert.Equal(["4"], (await Pending(_server, "upto")).Select(each => each.Data));
    }

    [Theory]
    [InlineData("")]
    [InlineData("{}")]
    [InlineData("[]")]
    [InlineData("""{"ids":[]}""")]
    [InlineData("""{"ids":[1]}""")]
    [InlineData("""{"ids":"x"}""")]
    [InlineData("""{"upTo":"$"}""")]
    [InlineData("""{"upTo":7}""")]
    [InlineData("""{"ids":["a"],"upTo":"b"}""")]
    [InlineData("""{"ids":["\ud800"]}""")]
    [InlineData("""{"ids":["a"],"colour":1}""")]
    public async Task Another_body_is_refused(string body)
    {
        await Owed(_server, "bodies", 0);
        (await _server.Post("/api/streams/bodies/subscribers/n/ack", body)).MustRefuse(400, "INVALID_INPUT");
    }

    [Fact]
    public async Task Who_has_not_registered_is_not_found()
    {
        await _server.Publish("known", Given.Critical(1));
        foreach (var stream in new[] { "known", "unknown" })
        {
            (await _server.Post($"/api/streams/{stream}/subscribers/n/ack", Ids(["x"]))).MustRefuse(404, "NOT_FOUND");
            (await _server.Get($"/api/streams/{stream}/subscribers/n/pending")).MustRefuse(404, "NOT_FOUND");
        }
        (await _server.Get("/api/streams/unknown")).MustRefuse(404, "NOT_FOUND");
        (await _server.Get("/api/streams/known/subscribers/a.b/pending")).MustRefuse(400, "INVALID_INPUT");
    }

    [Fact]
    public async Task Pending_is_read_in_pages()
    {
        await Owed(_server, "pages", 5);
        var (seen, after) = (new List<int>(), "0");
        for (var page = 0; page < 3; page++)
        {
            var answer = await _server.GetJson($"/api/streams/pages/subscribers/n/pending?limit=2&after={after}");
            seen.AddRange(answer.GetProperty("events").EnumerateArray()
                .Select(each => each.GetProperty("data").GetInt32()));
            Assert.Equal(page < 2, answer.GetProperty("more").GetBoolean());
            after = answer.GetProperty("cursor").GetString()!;
        }
        Assert.Equal([0, 1, 2, 3, 4], seen);
        foreach (var bad in new[] { "limit=0", "after=x" })
            (await _server.Get($"/api/streams/pages/subscribers/n/pending?{bad}")).MustRefuse(400, "INVALID_INPUT");
    }

    [Fact]
    public async Task Acknowledgements_outlive_a_restart()
    {
        await using var server = await TestServer.StartOnDisk();
        var ids = await Owed(server, "s", 6);
        (await server.Post("/api/streams/s/subscribers/n/ack", Ids([ids[0], ids[1], ids[4]]))).Must(HttpStatusCode.OK);
        await server.Restart();
        Assert.Equal(["2", "3", "5"], (await Pending(server, "s")).Select(each => each.Data));
        var again = (await server.Post("/api/streams/s/subscribers/n/ack", Ids([ids[0], ids[4], ids[5]])))
            .Must(HttpStatusCode.OK);
        Assert.Equal(["already", "already", "acknowledged"], Results(again));
        var read = await server.Events("s", "subscriber=n&after=$");
        Assert.Equal([2, 3], read.Select(each => each.GetProperty("data").GetInt32()));
    }

    /// <summary>Registers the subscriber n and delivers it so many critical events.</summary>
    private static async Task<string[]> Owed(TestServer server, string stream, int count)
    {
        for (var i = 0; i < count; i++) await server.Publish(stream, Given.Critical(i));
        var read = await server.Poll(stream, "subscriber=n");
        return [.. read.GetProperty("events").EnumerateArray().Select(each => each.GetProperty("id").GetString()!)];
    }

    private static async Task<(string Id, string Data)[]> Pending(TestServer server, string stream) =>
        [.. (await server.Get($"/api/streams/{stream}/subscribers/n/pending")).Must(HttpStatusCode.OK).Json
            .GetProperty("events").EnumerateArray()
            .Select(each => (each.GetProperty("id").GetString()!, each.GetProperty("data").GetRawText()))];

    private async Task<string[]> Acknowledge(string stream, string[] ids) =>
        Results((await _server.Post($"/api/streams/{stream}/subscribers/n/ack", Ids(ids))).Must(HttpStatusCode.OK));

    private async Task<string[]> AcknowledgeUpTo(string stream, string cursor)
    {
        var answer = (await _server.Post($"/api/streams/{stream}/subscribers/n/ack", $$"""{"upTo":"{{cursor}}"}"""))
            .Must(HttpStatusCode.OK);
        Assert.All(Results(answer), result => Assert.Equal("acknowledged", result));
        return [.. answer.Json.GetProperty("results").EnumerateArray()
            .Select(each => each.GetProperty("id").GetString()!)];
    }

    private static string[] Results(Answer answer) =>
        [.. answer.Json.GetProperty("results").EnumerateArray()
            .Select(each => each.GetProperty("result").GetString()!)];

    private static string Ids(string[] ids) => JsonSerializer.Serialize(new { ids });
}
