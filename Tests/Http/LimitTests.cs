using System.Net;
using System.Text;
using Xunit;

namespace OrleansEvents.Tests.Http;

public sealed class LimitTests(SharedServer shared) : IClassFixture<SharedServer>
{
    private const int EventBytes = 256 * 1024;
    private const int RequestBytes = 8 * 1024 * 1024;
    private readonly TestServer _server = shared.Server;

    [Fact]
    public async Task An_event_has_256_KiB_at_most()
    {
        const string Envelope = """{"type":"t","data":""}""";
        var most = $$"""{"type":"t","data":"{{new string('x', EventBytes - Envelope.Length)}}"}""";
        Assert.Equal(EventBytes, most.Length);
        await _server.Publish("event", most);
        (await _server.TryPublish("event", $"[{Given.Event(1)},{most.Replace("xx", "xxx", StringComparison.Ordinal)}]"))
            .MustRefuse(413, "EVENT_TOO_LARGE");
        Assert.Single(await _server.DataOf("event"));
    }

    [Theory]
    [InlineData(0, false)]
    [InlineData(1, false)]
    [InlineData(0, true)]
    [InlineData(1, true)]
    public async Task A_request_has_8_MiB_at_most(int over, bool chunked)
    {
        var stream = $"request-{over}-{chunked}";
        // White space counts as any byte does.
        var body = Encoding.ASCII.GetBytes(Given.Event(1).PadRight(RequestBytes + over));
        using var content = chunked ? (HttpContent)new StreamContent(new NoLength(body)) : new ByteArrayContent(body);
        content.Headers.TryAddWithoutValidation("Content-Type", "application/json");
        var answer = await _server.Send(HttpMethod.Post, $"/api/streams/{stream}/events", content);
        if (over == 0) answer.Must(HttpStatusCode.Created);
        else answer.MustRefuse(413, "EVENT_TOO_LARGE");
    }

    [Fact]
    public async Task A_request_has_10000_events_at_most()
    {
        (await _server.TryPublish("count", Given.Events(10_001))).MustRefuse(413, "EVENT_TOO_LARGE");
        var answer = await _server.Publish("count", Given.Events(10_000));
        Assert.Equal(10_000, answer.GetProperty("count").GetInt32());
    }

    [Fact]
    public async Task The_limits_are_settings()
    {
        await using var server = await TestServer.Start("--Limits:EventBytes", "300", "--Limits:RequestBytes", "2048",
            "--Limits:RequestEvents", "3", "--Limits:KeysPerStream", "2");
        (await server.TryPublish("s", Given.Events(4))).MustRefuse(413, "EVENT_TOO_LARGE");
        (await server.TryPublish("s", $$"""{"type":"t","data":"{{new string('x', 300)}}"}"""))
            .MustRefuse(413, "EVENT_TOO_LARGE");
        (await server.TryPublish("s", new string(' ', 2049))).MustRefuse(413, "EVENT_TOO_LARGE");
        var tooManyKeys = await server.TryPublish("s", Given.Events(3), ("Idempotency-Key", "K"));
        tooManyKeys.MustRefuse(429, "RATE_LIMITED");
        Assert.NotNull(tooManyKeys.Header("Retry-After"));
        (await server.Get("/api/streams/s")).Must(HttpStatusCode.OK);
        Assert.Empty(await server.DataOf("s"));
    }

    [Fact]
    public async Task Settings_and_acknowledgements_have_a_limit_too()
    {
        (await _server.Put("/api/streams/s", "{}".PadRight(70_000))).MustRefuse(413, "EVENT_TOO_LARGE");
        (await _server.Post("/api/streams/s/subscribers/n/ack", "{}".PadRight(2_000_000)))
            .MustRefuse(413, "EVENT_TOO_LARGE");
    }

    private sealed class NoLength(byte[] bytes) : MemoryStream(bytes)
    {
        public override bool CanSeek => false;
    }
}
