using System.Net;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Xunit;

namespace OrleansEvents.Tests.Http;

/// <summary>Each setting of a stream takes effect while the server runs.</summary>
public sealed class StreamSettingTests(SharedServer shared) : IClassFixture<SharedServer>
{
    private readonly TestServer _server = shared.Server;

    [Fact]
    public async Task Buffer_bounds_the_events()
    {
        await _server.Publish("buffer", Given.Events(10));
        await Set("buffer", """{"buffer":3}""");
        Assert.Equal(["7", "8", "9"], await _server.DataOf("buffer"));
        await Set("buffer", """{"buffer":5}""");
        await _server.Publish("buffer", Given.Events(4));
        Assert.Equal(["9", "0", "1", "2", "3"], await _server.DataOf("buffer"));
    }

    [Fact]
    public async Task BufferBytes_bounds_the_bytes()
    {
        await _server.Publish("bytes", Given.Events(100));
        await Set("bytes", """{"bufferBytes":4096}""");
        var stream = await Describe("bytes");
        Assert.InRange(stream.GetProperty("bytes").GetInt64(), 3000, 4096);
        var data = await _server.DataOf("bytes");
        Assert.InRange(data.Length, 5, 50);
        Assert.Equal("99", data[^1]);
    }

    [Fact]
    public async Task MaxAge_prunes_what_is_older()
    {
        await _server.Publish("age", Given.Events(3));
        await Set("age", """{"maxAge":0.05}""");
        await Eventually.True(async () => (await Describe("age")).GetProperty("events").GetInt32() == 0);
        await Set("age", """{"maxAge":null}""");
        await _server.Publish("age", Given.Event(5));
        Assert.Equal(["5"], await _server.DataOf("age"));
    }

    [Fact]
    public async Task Durable_is_in_force_from_its_answer_on()
    {
        Assert.False((await _server.Publish("durable", Given.Event(1))).GetProperty("durable").GetBoolean());
        await Set("durable", """{"durable":true}""");
        Assert.True((await _server.Publish("durable", Given.Event(2))).GetProperty("durable").GetBoolean());
        await Set("durable", """{"durable":false}""");
        Assert.False((await _server.Publish("durable", Given.Event(3))).GetProperty("durable").GetBoolean());
        Assert.Equal(["1", "2", "3"], await _server.DataOf("durable"));
    }

    [Fact]
    public async Task Retention_trims_what_is_stored_already()
    {
        await Set("retention", """{"durable":true,"buffer":1}""", HttpStatusCode.Created);
        for (var i = 0; i < 6; i++) await _server.Publish("retention", Given.Event(i));
        await Set("retention", """{"retention":{"count":4}}""");
        await Eventually.True(async () => (await Describe("retention")).GetProperty("storedEvents").GetInt32() == 4);
        await Set("retention", """{"retention":{"count":2}}""");
        await Eventually.True(async () => (await Describe("retention")).GetProperty("storedEvents").GetInt32() == 2);
        var poll = await _server.Poll("retention");
        Assert.Equal(["4", "5"], await _server.DataOf("retention"));
        Assert.Equal("evicted", poll.GetProperty("gap").GetProperty("reason").GetString());
        await Set("retention", """{"retention":{"age":0.01}}""");
        await Eventually.True(async () => (await Describe("retention")).GetProperty("storedEvents").GetInt32() == 0);
    }

    [Fact]
    public async Task IdleAfter_unloads_a_stream_which_comes_back_whole()
    {
        await _server.Publish("idle", Given.Events(3));
        var before = await Describe("idle");
        await Set("idle", """{"idleAfter":0.01}""");
        await Eventually.True(async () => !(await Listed("idle")).GetProperty("open").GetBoolean());
        var cursor = before.GetProperty("head").GetString();
        await Set("idle", """{"idleAfter":600}""");
        Assert.Equal(["0", "1", "2"], await _server.DataOf("idle"));
        await _server.Publish("idle", Given.Event(3));
        var poll = await _server.Poll("idle", $"after={cursor}");
        Assert.False(poll.TryGetProperty("gap", out _));
        Assert.Equal(3, poll.GetProperty("events")[0].GetProperty("data").GetInt32());
    }

    [Fact]
    public async Task A_stream_that_is_read_is_not_unloaded_nor_lost_while_it_is_looked_at()
    {
        var log = new Host.LogLines();
        await using var server = await TestServer.StartWith(
            services => services.AddLogging(logging => logging.AddProvider(log)));
        (await server.Put("/api/streams/busy", """{"idleAfter":0.001}""")).Must(HttpStatusCode.Created);
        // Some of these meet it just as it is unloaded.
        var until = TimeProvider.System.GetTimestamp();
        while (TimeProvider.System.GetElapsedTime(until) < TimeSpan.FromSeconds(1))
        {
            await Task.WhenAll(
                Must(server.Get("/api/streams/busy")), Must(server.Put("/api/streams/busy", """{"buffer":7}""")),
                Must(server.Post("/api/streams/busy/complete")),
                Must(server.Get("/api/streams/busy/events?subscriber=n")),
                Must(server.Get("/api/streams/busy/events?after=0")));
        }
        Assert.Empty(log.AtLeast(LogLevel.Warning));

        static async Task Must(Task<Answer> answer) => (await answer).Must(HttpStatusCode.OK);
    }

    [Fact]
    public async Task Two_changes_at_once_are_both_made()
    {
        await Set("two", "{}", HttpStatusCode.Created);
        for (var round = 1; round <= 10; round++)
        {
            await Task.WhenAll(_server.Put("/api/streams/two", $$"""{"buffer":{{round}}}"""),
                _server.Put("/api/streams/two", $$"""{"backlog":{{round}}}"""),
                _server.Put("/api/streams/two", $$"""{"dedupeWindow":{{round}}}"""));
            var settings = (await Describe("two")).GetProperty("settings");
            foreach (var member in new[] { "buffer", "backlog", "dedupeWindow" })
                Assert.Equal(round, settings.GetProperty(member).GetInt32());
        }
    }

    [Fact]
    public async Task Settings_outlive_a_restart()
    {
        await using var server = await TestServer.StartOnDisk();
        const string Settings = """
            {"buffer":7,"bufferBytes":5000,"maxAge":3600,"durable":true,
            "retention":{"count":9,"bytes":50000,"age":1000},
            "critical":["a",{"type":"b","where":{"c":["d's",1,true]}}],"backlog":11,"dedupeWindow":12.5,"idleAfter":13}
            """;
        var before = (await server.Put("/api/streams/s", Settings)).Must(HttpStatusCode.Created).Json;
        await server.Restart();
        var after = (await server.Get("/api/streams/s")).Must(HttpStatusCode.OK).Json.GetProperty("settings");
        Assert.Equal(before.GetRawText(), after.GetRawText());
        Assert.Equal(12.5, after.GetProperty("dedupeWindow").GetDouble());
        Assert.Contains("d's", before.GetRawText(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Any_default_that_a_server_starts_with_can_be_stored_and_read_back()
    {
        await using var server = await TestServer.StartOnDisk(
            "--Streams:BufferBytes", "4096", "--Streams:MaxAge", "315360000",
            "--Streams:Backlog", "1000000", "--Streams:DedupeWindow", "86400", "--Streams:IdleAfter", "0.1",
            "--Streams:Retention:Bytes", "4096", "--Streams:Retention:Count", "1000000000");
        (await server.Put("/api/streams/s", """{"buffer":5}""")).Must(HttpStatusCode.Created);
        await server.Restart();
        (await server.Get("/api/streams/s")).Must(HttpStatusCode.OK);
    }

    [Theory]
    [InlineData("Streams:BufferBytes", "4095")]
    [InlineData("Streams:MaxAge", "315360001")]
    [InlineData("Streams:Backlog", "1000001")]
    [InlineData("Streams:DedupeWindow", "86401")]
    [InlineData("Streams:DedupeWindow", "0")]
    [InlineData("Streams:IdleAfter", "315360001")]
    [InlineData("Streams:Retention:Bytes", "4095")]
    [InlineData("Streams:Retention:Count", "1000000001")]
    [InlineData("Streams:Retention:Age", "315360001")]
    public async Task A_default_that_no_stream_could_have_refuses_the_start(string setting, string value) =>
        await Assert.ThrowsAsync<Api.Options.StartRefusedException>(() => TestServer.Start($"--{setting}", value));

    private async Task Set(string stream, string settings, HttpStatusCode status = HttpStatusCode.OK) =>
        (await _server.Put($"/api/streams/{stream}", settings)).Must(status);

    private async Task<JsonElement> Describe(string stream) =>
        (await _server.Get($"/api/streams/{stream}")).Must(HttpStatusCode.OK).Json;

    private async Task<JsonElement> Listed(string stream) =>
        (await _server.Get($"/api/streams?prefix={stream}")).Json.GetProperty("streams")[0];
}
