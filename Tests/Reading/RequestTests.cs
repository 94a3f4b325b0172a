using System.Net;
using OrleansEvents.Tests.Http;
using Xunit;

namespace OrleansEvents.Tests.Reading;

/// <summary>What a request to read may ask for and is answered with, whatever there is to read.</summary>
public sealed class RequestTests(SharedServer shared) : IClassFixture<SharedServer>
{
    private readonly TestServer _server = shared.Server;

    [Theory]
    [InlineData("text/event-stream", "text/event-stream")]
    [InlineData("application/json", "application/json")]
    [InlineData("*/*", "application/json")]
    [InlineData("text/event-stream, */*;q=0.5", "text/event-stream")]
    public async Task Reads_are_never_stored_and_vary_by_what_is_accepted(string accept, string type)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "/api/streams/s/events");
        request.Headers.TryAddWithoutValidation("Accept", accept);
        using var answer = await _server.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal(type, answer.Content.Headers.ContentType!.MediaType);
        Assert.Equal(["no-store", "no-transform"], answer.Headers.CacheControl!.ToString().Split(", ").Order());
        Assert.Contains("Accept", answer.Headers.Vary);
        Assert.Equal("no", Assert.Single(answer.Headers.GetValues("X-Accel-Buffering")));
    }

    [Theory]
    [InlineData("text/html")]
    [InlineData("application/json;q=0")]
    [InlineData("///")]
    public async Task What_is_neither_is_refused(string accept)
    {
        (await _server.Get("/api/streams/s/events", ("Accept", accept))).MustRefuse(406, "INVALID_INPUT");
    }

    [Theory]
    [InlineData("after=nonsense")]
    [InlineData("after=%24%24")]
    [InlineData("types=" + "a,,b")]
    [InlineData("heartbeat=0")]
    [InlineData("heartbeat=x")]
    [InlineData("names=maybe")]
    [InlineData("subscriber=a.b")]
    [InlineData("subscriber=a&types=t")]
    [InlineData("limit=0")]
    [InlineData("limit=1001")]
    [InlineData("wait=31")]
    public async Task What_is_malformed_in_the_query_is_refused(string query)
    {
        foreach (var accept in new[] { "text/event-stream", "application/json" })
            (await _server.Get($"/api/streams/s/events?{query}", ("Accept", accept))).MustRefuse(400, "INVALID_INPUT");
    }

    [Theory]
    [InlineData("client=")]
    [InlineData("client=a%0ab")]
    [InlineData("pong=perhaps")]
    public async Task What_a_client_cannot_be_called_is_refused(string query)
    {
        (await _server.Get($"/api/streams/s/events?{query}")).MustRefuse(400, "INVALID_INPUT");
    }

    [Theory]
    [InlineData("ping", "")]
    [InlineData("ping", "{}")]
    [InlineData("ping", """{"id":1}""")]
    [InlineData("ping", """{"id":""}""")]
    [InlineData("ping", """{"id":"x","more":1}""")]
    [InlineData("ping", """["x"]""")]
    [InlineData("ping", """{"id":"\ud800"}""")]
    [InlineData("pong", "")]
    [InlineData("pong", "{")]
    [InlineData("test", """{"id":null}""")]
    public async Task What_names_no_id_is_refused(string what, string body)
    {
        await using var reader = await SseReader.Stream(_server, "s");
        (await _server.Post($"/api/connections/{await reader.Connected()}/{what}", body))
            .MustRefuse(400, "INVALID_INPUT");
    }
}
