using System.Net;
using Microsoft.Extensions.DependencyInjection;
using OrleansEvents.Streams;
using OrleansEvents.Storage.Memory;
using Xunit;

namespace OrleansEvents.Tests.Http;

public sealed class KeyTests(SharedServer shared) : IClassFixture<SharedServer>
{
    private readonly TestServer _server = shared.Server;

    [Fact]
    public async Task The_same_key_again_is_answered_with_the_first_and_appends_nothing()
    {
        var first = await _server.Publish("dup", Given.Event(1, ",\"key\":\"k\""));
        await _server.Publish("dup", Given.Event(2));
        var again = await _server.Publish("dup", Given.Event(1, ",\"key\":\"k\""));
        Assert.Equal((0, 1), (again.GetProperty("count").GetInt32(), again.GetProperty("duplicates").GetInt32()));
        foreach (var member in new[] { "first", "last", "cursor", "durable" })
            Assert.Equal(first.GetProperty(member).ToString(), again.GetProperty(member).ToString());
        Assert.Equal(["1", "2"], await _server.DataOf("dup"));
    }

    [Theory]
    [InlineData("""{"type":"t","data":2,"key":"k"}""")]
    [InlineData("""{"type":"u","data":1,"key":"k"}""")]
    [InlineData("""{"type":"t","version":2,"data":1,"key":"k"}""")]
    [InlineData("""[{"type":"t","data":0},{"type":"t","data":2,"key":"k"}]""")]
    public async Task The_same_key_with_other_content_is_a_conflict(string other)
    {
        var stream = $"conflict-{string.Concat(other.Where(char.IsLetterOrDigit))}";
        await _server.Publish(stream, Given.Event(1, ",\"key\":\"k\""));
        (await _server.TryPublish(stream, other)).MustRefuse(409, "KEY_CONFLICT");
        Assert.Equal(["1"], await _server.DataOf(stream));
    }

    [Fact]
    public async Task A_request_that_was_published_in_part_is_completed()
    {
        await _server.Publish("partly", Given.Event(1, ",\"key\":\"b\""));
        var answer = await _server.Publish("partly", """
            [{"type":"t","data":0,"key":"a"},{"type":"t","data":1,"key":"b"},{"type":"t","data":2,"key":"c"}]
            """);
        Assert.Equal((2, 1), (answer.GetProperty("count").GetInt32(), answer.GetProperty("duplicates").GetInt32()));
        Assert.Equal(["1", "0", "2"], await _server.DataOf("partly"));
    }

    [Fact]
    public async Task A_key_may_come_twice_in_one_request()
    {
        var same = """{"type":"t","data":0,"key":"a"}""";
        var answer = (await _server.Post("/api/streams/twice/events?events=true", $"[{same},{Given.Event(5)},{same}]"))
            .Must(HttpStatusCode.Created).Json;
        Assert.Equal((2, 1), (answer.GetProperty("count").GetInt32(), answer.GetProperty("duplicates").GetInt32()));
        var events = answer.GetProperty("events");
        Assert.Equal(events[0].GetProperty("id").GetString(), events[2].GetProperty("id").GetString());
        (await _server.TryPublish("twice", """[{"type":"t","data":0,"key":"z"},{"type":"t","data":1,"key":"z"}]"""))
            .MustRefuse(409, "KEY_CONFLICT");
        Assert.Equal(["0", "5"], await _server.DataOf("twice"));
    }

    [Fact]
    public async Task An_Idempotency_Key_gives_every_event_of_a_request_its_key()
    {
        var first = await _server.Publish("idem", Given.Events(3), ("Idempotency-Key", "K"));
        var again = await _server.Publish("idem", Given.Events(3), ("Idempotency-Key", "K"));
        Assert.Equal(first.GetProperty("cursor").GetString(), again.GetProperty("cursor").GetString());
        Assert.Equal((0, 3), (again.GetProperty("count").GetInt32(), again.GetProperty("duplicates").GetInt32()));
        var longer = await _server.Publish("idem", Given.Events(4), ("Idempotency-Key", "K"));
        Assert.Equal((1, 3), (longer.GetProperty("count").GetInt32(), longer.GetProperty("duplicates").GetInt32()));
        var keys = (await _server.Events("idem")).Select(each => each.GetProperty("key").GetString());
        Assert.Equal(["K/0", "K/1", "K/2", "K/3"], keys);
        (await _server.TryPublish("idem", Given.Event(9), ("Idempotency-Key", "K"))).MustRefuse(409, "KEY_CONFLICT");
        (await _server.TryPublish("idem", Given.Event(9), ("Idempotency-Key", new string('k', 199))))
            .MustRefuse(400, "INVALID_INPUT");
    }

    [Fact]
    public async Task A_key_is_forgotten_after_its_window()
    {
        (await _server.Put("/api/streams/window", """{"dedupeWindow":0.05}""")).Must(HttpStatusCode.Created);
        await _server.Publish("window", Given.Event(1, ",\"key\":\"k\""));
        await Eventually.True(async () =>
            (await _server.Publish("window", Given.Event(1, ",\"key\":\"k\""))).GetProperty("count").GetInt32() == 1);
    }

    [Fact]
    public async Task One_key_at_once_from_many_is_appended_once()
    {
        var answers = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ =>
            _server.Publish("race", Given.Critical(1, ",\"key\":\"k\""))));
        Assert.Single(answers, answer => answer.GetProperty("count").GetInt32() == 1);
        Assert.Single(answers.Select(answer => answer.GetProperty("cursor").GetString()).Distinct());
        Assert.Equal(["1"], await _server.DataOf("race"));
    }

    [Fact]
    public async Task Keys_of_durable_events_outlive_the_process_and_their_trimmed_event()
    {
        await using var server = await TestServer.StartOnDisk();
        (await server.Put("/api/streams/s", """{"retention":{"count":1}}""")).Must(HttpStatusCode.Created);
        var first = await server.Publish("s", Given.Critical(0), ("Idempotency-Key", "K"));
        await server.Publish("s", Given.Event(1), ("Idempotency-Key", "ordinary"));
        await server.Publish("s", Given.Critical(2));
        await Eventually.True(async () =>
            (await server.GetJson("/api/streams/s")).GetProperty("storedEvents").GetInt32() == 1);
        await server.Restart();
        var again = await server.Publish("s", Given.Critical(0), ("Idempotency-Key", "K"));
        Assert.Equal(0, again.GetProperty("count").GetInt32());
        Assert.Equal(first.GetProperty("first").GetInt64(), again.GetProperty("first").GetInt64());
        Assert.True(again.GetProperty("durable").GetBoolean());
        (await server.TryPublish("s", Given.Critical(7), ("Idempotency-Key", "K"))).MustRefuse(409, "KEY_CONFLICT");
    }

    [Fact]
    public async Task A_key_of_an_ordinary_event_lives_while_its_stream_is_unloaded()
    {
        (await _server.Put("/api/streams/sleeper", """{"idleAfter":0.01}""")).Must(HttpStatusCode.Created);
        (await _server.Put("/api/streams/other", """{"idleAfter":0.01}""")).Must(HttpStatusCode.Created);
        await _server.Publish("sleeper", Given.Event(1, ",\"key\":\"k\""));
        await _server.Publish("other", Given.Event(1));
        await Eventually.True(async () => !await IsOpen("other"));
        var again = await _server.Publish("sleeper", Given.Event(1, ",\"key\":\"k\""));
        Assert.Equal(0, again.GetProperty("count").GetInt32());
    }

    [Fact]
    public async Task A_key_whose_publish_failed_is_forgotten()
    {
        var log = FailingLog.Over(new MemoryEventLog());
        await using var server = await TestServer.StartWith(services => services.AddSingleton(log.Log),
            "--Storage:CircuitOpen", "0.1");
        await server.Publish("s", Given.Event(0));
        log.Fails = true;
        var failed = await server.TryPublish("s", Given.Critical(1), ("Idempotency-Key", "K"));
        failed.MustRefuse(503, "STORE_UNAVAILABLE");
        Assert.NotNull(failed.Header("Retry-After"));
        // Ordinary events go on.
        await server.Publish("s", Given.Event(2));
        log.Fails = false;
        var taken = failed;
        await Eventually.True(async () =>
        {
            taken = await server.TryPublish("s", Given.Critical(3), ("Idempotency-Key", "K"));
            return taken.Status == HttpStatusCode.Created;
        });
        Assert.Equal(1, taken.Json.GetProperty("count").GetInt32());
        Assert.Equal(["0", "2", "3"], await server.DataOf("s"));
    }

    private async Task<bool> IsOpen(string stream) =>
        (await _server.GetJson($"/api/streams?prefix={stream}")).GetProperty("streams")[0]
            .GetProperty("open").GetBoolean();
}
