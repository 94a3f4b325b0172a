using System.Net;
using System.Text.Json;
using Xunit;

namespace OrleansEvents.Tests.Http;

public sealed class StreamTests(SharedServer shared) : IClassFixture<SharedServer>
{
    private readonly TestServer _server = shared.Server;

    [Fact]
    public async Task A_stream_is_created_changed_described_completed_and_deleted()
    {
        (await _server.Get("/api/streams/life")).MustRefuse(404, "NOT_FOUND");
        var created = (await _server.Put("/api/streams/life", """{"buffer":5}""")).Must(HttpStatusCode.Created);
        Assert.Equal("/api/streams/life", created.Header("Location"));
        Assert.Equal(["buffer", "bufferBytes", "maxAge", "durable", "retention", "critical", "backlog", "dedupeWindow",
            "idleAfter", "validate"], created.Json.EnumerateObject().Select(member => member.Name));
        var changed = (await _server.Put("/api/streams/life", """{"maxAge":60}""")).Must(HttpStatusCode.OK).Json;
        Assert.Equal((5, 60), (changed.GetProperty("buffer").GetInt32(), changed.GetProperty("maxAge").GetInt32()));

        var published = await _server.Publish("life", Given.Events(7));
        var stream = (await _server.Get("/api/streams/life")).Must(HttpStatusCode.OK).Json;
        Assert.Equal("life", stream.GetProperty("stream").GetString());
        Assert.Equal(5, stream.GetProperty("events").GetInt32());
        Assert.Equal(5, stream.GetProperty("settings").GetProperty("buffer").GetInt32());
        Assert.Equal(published.GetProperty("cursor").GetString(), stream.GetProperty("head").GetString());
        Assert.False(stream.GetProperty("completed").GetBoolean());

        var completed = (await _server.Post("/api/streams/life/complete")).Must(HttpStatusCode.OK).Json;
        Assert.True(completed.GetProperty("completed").GetBoolean());
        (await _server.Post("/api/streams/life/complete")).Must(HttpStatusCode.OK);
        (await _server.TryPublish("life", Given.Event(1))).MustRefuse(409, "STREAM_COMPLETED");

        var deleted = (await _server.Delete("/api/streams/life")).Must(HttpStatusCode.NoContent);
        Assert.Empty(deleted.Body);
        (await _server.Get("/api/streams/life")).MustRefuse(404, "NOT_FOUND");
        (await _server.Delete("/api/streams/life")).MustRefuse(404, "NOT_FOUND");
        (await _server.Post("/api/streams/life/complete")).MustRefuse(404, "NOT_FOUND");
        (await _server.Get("/api/streams/life/events")).Must(HttpStatusCode.NoContent);
    }

    [Fact]
    public async Task A_deleted_stream_is_made_again_with_numbers_that_go_on_and_nothing_else()
    {
        await _server.Put("/api/streams/again", """{"buffer":5}""");
        var before = await _server.Publish("again", Given.Critical(1, ",\"key\":\"k\""));
        (await _server.Delete("/api/streams/again")).Must(HttpStatusCode.NoContent);
        var after = await _server.Publish("again", Given.Critical(1, ",\"key\":\"k\""));
        Assert.Equal(1, after.GetProperty("count").GetInt32());
        Assert.True(after.GetProperty("first").GetInt64() > before.GetProperty("last").GetInt64());
        var settings = (await _server.GetJson("/api/streams/again")).GetProperty("settings");
        Assert.Equal(100, settings.GetProperty("buffer").GetInt32());
        Assert.Equal(["1"], await _server.DataOf("again"));
        var gap = (await _server.Poll("again", $"after={before.GetProperty("cursor").GetString()}")).GetProperty("gap");
        Assert.Equal("reset", gap.GetProperty("reason").GetString());
    }

    [Fact]
    public async Task Deletes_and_completions_at_once_are_answered_as_one_after_another()
    {
        for (var round = 0; round < 5; round++)
        {
            await _server.Publish("both", Given.Event(1));
            var answers = await Task.WhenAll(Enumerable.Range(0, 8).Select(i => i % 2 == 0
                ? _server.Delete("/api/streams/both") : _server.Post("/api/streams/both/complete")));
            Assert.Single(answers, answer => answer.Status == HttpStatusCode.NoContent);
            foreach (var answer in answers.Where(each => (int)each.Status >= 300))
                answer.MustRefuse(404, "NOT_FOUND");
        }
    }

    [Fact]
    public async Task Streams_are_listed_by_name_prefix_limit_and_after()
    {
        foreach (var name in new[] { "ls.b", "ls.a", "ls.c.d", "lsx", "ls-1" })
            await _server.Publish(name, Given.Event(1));
        await _server.Post("/api/streams/ls.b/complete");
        Assert.Equal(["ls.a", "ls.b", "ls.c.d"], await Names("prefix=ls."));
        Assert.Equal(["ls-1", "ls.a", "ls.b", "ls.c.d", "lsx"], await Names("prefix=ls"));
        Assert.Equal(["ls.c.d"], await Names("prefix=ls.&after=ls.b"));
        var page = (await _server.Get("/api/streams?prefix=ls.&limit=2")).Must(HttpStatusCode.OK).Json;
        Assert.Equal((2, true), (page.GetProperty("streams").GetArrayLength(), page.GetProperty("more").GetBoolean()));
        var rest = (await _server.Get("/api/streams?prefix=ls.&limit=2&after=ls.b")).Json;
        Assert.Equal((1, false), (rest.GetProperty("streams").GetArrayLength(), rest.GetProperty("more").GetBoolean()));
        Assert.True(page.GetProperty("streams")[1].GetProperty("completed").GetBoolean());
        foreach (var bad in new[] { "limit=0", "limit=1001", "limit=x" })
            (await _server.Get($"/api/streams?{bad}")).MustRefuse(400, "INVALID_INPUT");
    }

    [Theory]
    [InlineData("""{"colour":1}""")]
    [InlineData("""{"buffer":0}""")]
    [InlineData("""{"buffer":"5"}""")]
    [InlineData("""{"retention":{"count":null,"age":null}}""")]
    [InlineData("""{"critical":[{"type":"t","whose":1}]}""")]
    [InlineData("""[]""")]
    [InlineData("""{"buffer":""")]
    public async Task Bad_settings_are_refused_and_make_no_stream(string settings)
    {
        (await _server.Put("/api/streams/bad-settings", settings)).MustRefuse(400, "INVALID_INPUT");
        (await _server.Get("/api/streams/bad-settings")).MustRefuse(404, "NOT_FOUND");
    }

    [Fact]
    public async Task HEAD_and_OPTIONS_and_a_trailing_slash()
    {
        await _server.Publish("methods", Given.Event(1));
        var get = await _server.Get("/api/streams/methods/");
        var head = (await _server.Send(HttpMethod.Head, "/api/streams/methods", (string?)null)).Must(HttpStatusCode.OK);
        Assert.Equal(get.Header("Content-Length"), head.Header("Content-Length"));
        Assert.Empty(head.Body);
        (await _server.Send(HttpMethod.Head, "/api/streams/nowhere", (string?)null)).Must(HttpStatusCode.NotFound);
        var read = (await _server.Send(HttpMethod.Head, "/api/streams/methods/events", (string?)null))
            .Must(HttpStatusCode.OK);
        Assert.Equal("no-store, no-transform", string.Join(", ", read.Header("Cache-Control")!.Split(", ").Order()));
        (await _server.Get("/api/streams/methods/events/")).Must(HttpStatusCode.OK);
        (await _server.Post("/api/streams/methods/events/", Given.Event(1))).Must(HttpStatusCode.Created);
        (await _server.Get("/api/streams/")).Must(HttpStatusCode.OK);
    }

    [Theory]
    [InlineData("POST", "/api/streams", "GET, HEAD, OPTIONS")]
    [InlineData("PATCH", "/api/streams/s", "DELETE, GET, HEAD, OPTIONS, PUT")]
    [InlineData("PUT", "/api/streams/s/events", "GET, HEAD, OPTIONS, POST")]
    [InlineData("GET", "/api/streams/s/complete", "OPTIONS, POST")]
    [InlineData("POST", "/api/events", "GET, HEAD, OPTIONS")]
    [InlineData("DELETE", "/api/streams/s/subscribers/n/ack", "OPTIONS, POST")]
    public async Task A_wrong_method_is_told_the_right_ones(string method, string path, string allow)
    {
        var answer = await _server.Send(new HttpMethod(method), path, (string?)null);
        answer.MustRefuse(405, "INVALID_INPUT");
        Assert.Equal(allow, answer.Header("Allow"));
        var options = (await _server.Send(HttpMethod.Options, path, (string?)null)).Must(HttpStatusCode.NoContent);
        Assert.Equal(allow, options.Header("Allow"));
    }

    [Theory]
    [InlineData("/api/events", "database")]
    [InlineData("/api/events/processes/7/logs", "processes.7.logs")]
    [InlineData("/api/events/task-attempts/7/diff", "task-attempts.7.diff")]
    public async Task Short_forms_read_their_stream_raw(string path, string stream)
    {
        await _server.Publish(stream, """{"type":"log_entry","data":{"type":"stdout","content":"it's"}}""");
        await _server.Post($"/api/streams/{stream}/complete");
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        request.Headers.TryAddWithoutValidation("Accept", "text/event-stream");
        using var answer = await _server.Http.SendAsync(request, TestContext.Current.CancellationToken);
        var lines = (await answer.Content.ReadAsStringAsync()).Split('\n');
        Assert.Contains("""data: {"type":"stdout","content":"it's"}""", lines);
        var first = (await _server.GetJson(path)).GetProperty("events")[0];
        Assert.Equal(stream, first.GetProperty("stream").GetString());
    }

    [Fact]
    public async Task A_short_form_with_a_bad_id_is_refused() =>
        (await _server.Get("/api/events/processes/a%20b/logs")).MustRefuse(400, "INVALID_INPUT");

    [Fact]
    public async Task A_problem_repeats_what_was_asked_as_it_was_written()
    {
        var answer = await _server.Get("/api/streams/it's/events");
        answer.MustRefuse(400, "INVALID_INPUT");
        Assert.Contains("it's", answer.Text, StringComparison.Ordinal);
        Assert.DoesNotContain("\\u00", answer.Text, StringComparison.Ordinal);
    }

    private async Task<string[]> Names(string query) =>
        [.. (await _server.GetJson($"/api/streams?{query}")).GetProperty("streams").EnumerateArray()
            .Select(stream => stream.GetProperty("stream").GetString()!)];
}
