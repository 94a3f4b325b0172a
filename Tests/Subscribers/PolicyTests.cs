using System.Net;
using OrleansEvents.Tests.Http;
using Xunit;

namespace OrleansEvents.Tests.Subscribers;

public sealed class PolicyTests(SharedServer shared) : IClassFixture<SharedServer>
{
    private const string Default = """
        {"ackWait":30,"maxAttempts":4,"backoff":[1,2,4,8],"maxInFlight":1000,"mode":"broadcast","owed":"critical",
        """ + """
        "from":"all","types":[],"overflow":"lapse","maxPending":10000,"maxAge":604800,"expireAfter":86400,
        """ + """
        "webhook":null}
        """;

    private const string Other = """
        {"ackWait":0.5,"maxAttempts":7,"backoff":[0.1,3],"maxInFlight":2,"mode":"compete","owed":"all","from":"new",
        """ + """
        "types":["x","y"],"overflow":"block","maxPending":9,"maxAge":60,"expireAfter":3600.25,"webhook":null}
        """;

    private readonly TestServer _server = shared.Server;

    [Fact]
    public async Task A_subscriber_is_made_by_putting_it_and_changed_by_putting_it_again()
    {
        var made = (await _server.Put("/api/streams/made/subscribers/a", "{}")).Must(HttpStatusCode.Created);
        Assert.Equal("/api/streams/made/subscribers/a", made.Header("Location"));
        Assert.Equal(Default, made.Json.GetProperty("policy").GetRawText());
        var changed = (await _server.Put("/api/streams/made/subscribers/a", Other)).Must(HttpStatusCode.OK);
        Assert.Equal(Other, changed.Json.GetProperty("policy").GetRawText());
        Assert.Equal(Other, (await new Named(_server, "made").Describe()).GetProperty("policy").GetRawText());
        Assert.False(changed.Json.GetProperty("expires").GetBoolean());
    }

    [Fact]
    public async Task What_is_not_given_stays_as_it_is()
    {
        var named = new Named(_server, "merged");
        await named.Set("""{"ackWait":5,"types":["x"]}""");
        var policy = (await named.Set("""{"maxAttempts":9}""")).GetProperty("policy");
        Assert.Equal((5, 9, "[\"x\"]"), (policy.GetProperty("ackWait").GetInt32(),
            policy.GetProperty("maxAttempts").GetInt32(), policy.GetProperty("types").GetRawText()));
        Assert.Equal(policy.GetRawText(), (await named.Set("")).GetProperty("policy").GetRawText());
    }

    [Fact]
    public async Task A_webhook_is_changed_member_by_member_and_its_secret_is_never_shown()
    {
        var named = new Named(_server, "hooked");
        var made = await named.Set($$$"""
            {"webhook":{"url":"https://example.com/x","secret":"{{{Webhooks.Given.Secret}}}","format":"cloudevents"}}
            """);
        var changed = await named.Set("""{"webhook":{"timeout":3}}""");
        Assert.Equal("""{"url":"https://example.com/x","format":"cloudevents","timeout":3}""",
            changed.GetProperty("policy").GetProperty("webhook").GetRawText());
        var listed = (await _server.Get("/api/streams/hooked/subscribers")).Text;
        Assert.DoesNotContain("whsec_", made.GetRawText() + changed.GetRawText() + listed, StringComparison.Ordinal);
        var none = await named.Set("""{"webhook":null}""");
        Assert.Equal("null", none.GetProperty("policy").GetProperty("webhook").GetRawText());
    }

    [Theory]
    [InlineData("")]
    [InlineData("not json")]
    [InlineData("[]")]
    [InlineData("null")]
    [InlineData("""{"colour":1}""")]
    [InlineData("""{"ackWait":1,"ackWait":2}""")]
    [InlineData("""{"ackWait":0}""")]
    [InlineData("""{"ackWait":-1}""")]
    [InlineData("""{"ackWait":0.0001}""")]
    [InlineData("""{"ackWait":86401}""")]
    [InlineData("""{"ackWait":"1"}""")]
    [InlineData("""{"ackWait":null}""")]
    [InlineData("""{"maxAttempts":0}""")]
    [InlineData("""{"maxAttempts":101}""")]
    [InlineData("""{"maxAttempts":1.5}""")]
    [InlineData("""{"backoff":[]}""")]
    [InlineData("""{"backoff":1}""")]
    [InlineData("""{"backoff":[1,0]}""")]
    [InlineData("""{"backoff":[86401]}""")]
    [InlineData("""{"backoff":["1"]}""")]
    [InlineData("""{"backoff":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]}""")]
    [InlineData("""{"maxInFlight":0}""")]
    [InlineData("""{"maxInFlight":100001}""")]
    [InlineData("""{"mode":"both"}""")]
    [InlineData("""{"mode":"COMPETE"}""")]
    [InlineData("""{"mode":1}""")]
    [InlineData("""{"owed":"none"}""")]
    [InlineData("""{"owed":true}""")]
    [InlineData("""{"from":"old"}""")]
    [InlineData("""{"from":"$"}""")]
    [InlineData("""{"from":0}""")]
    [InlineData("""{"types":"x"}""")]
    [InlineData("""{"types":[1]}""")]
    [InlineData("""{"types":[""]}""")]
    [InlineData("""{"types":["a\u0007b"]}""")]
    [InlineData("""{"overflow":"drop"}""")]
    [InlineData("""{"maxPending":0}""")]
    [InlineData("""{"maxPending":1000001}""")]
    [InlineData("""{"maxAge":0}""")]
    [InlineData("""{"maxAge":315360001}""")]
    [InlineData("""{"expireAfter":0}""")]
    [InlineData("""{"expireAfter":315360001}""")]
    [InlineData("""{"webhook":{}}""")]
    [InlineData("""{"webhook":"https://example.com"}""")]
    [InlineData("""{"webhook":{"url":"https://example.com"}}""")]
    [InlineData("""{"webhook":{"timeout":3}}""")]
    [InlineData("""{"webhook":{"url":"https://example.com","secret":"short"}}""")]
    [InlineData("""{"webhook":{"url":"ftp://example.com","secret":"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}}""")]
    [InlineData("""{"webhook":{"url":"https://e.example","secret":"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw","x":1}}""")]
    [InlineData("{\"ackWait\":1,\"\\ud800\":1}")]
    public async Task A_bad_policy_makes_neither_stream_nor_subscriber_and_changes_nothing(string policy)
    {
        var body = policy.Length == 0 ? " " : policy;
        (await _server.Put("/api/streams/bad/subscribers/a", body)).MustRefuse(400, "INVALID_INPUT");
        (await _server.Get("/api/streams/bad")).MustRefuse(404, "NOT_FOUND");
        var there = new Named(_server, "there");
        var before = (await there.Set("""{"maxAttempts":3}""")).GetProperty("policy").GetRawText();
        (await _server.Put(there.Path, body)).MustRefuse(400, "INVALID_INPUT");
        Assert.Equal(before, (await there.Describe()).GetProperty("policy").GetRawText());
        (await _server.Put("/api/streams/there/subscribers/b", body)).MustRefuse(400, "INVALID_INPUT");
        (await _server.Get("/api/streams/there/subscribers/b")).MustRefuse(404, "NOT_FOUND");
    }

    [Theory]
    [InlineData("""{"ackWait":0.001}""")]
    [InlineData("""{"ackWait":86400}""")]
    [InlineData("""{"maxAttempts":1}""")]
    [InlineData("""{"maxAttempts":100}""")]
    [InlineData("""{"backoff":[0.001,86400]}""")]
    [InlineData("""{"maxInFlight":1}""")]
    [InlineData("""{"maxInFlight":100000}""")]
    [InlineData("""{"maxPending":1}""")]
    [InlineData("""{"maxPending":1000000}""")]
    [InlineData("""{"maxAge":0.001}""")]
    [InlineData("""{"maxAge":315360000}""")]
    [InlineData("""{"expireAfter":0.001}""")]
    [InlineData("""{"expireAfter":315360000}""")]
    public async Task What_lies_within_its_bounds_is_echoed(string policy)
    {
        var echoed = (await new Named(_server, "bounds").Set(policy)).GetProperty("policy").GetRawText();
        Assert.Contains(policy[1..^1], echoed, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("a.b")]
    [InlineData("a%20b")]
    [InlineData("%C3%A4")]
    public async Task A_subscriber_is_named_like_a_token(string name)
    {
        (await _server.Put($"/api/streams/tokens/subscribers/{name}", "{}")).MustRefuse(400, "INVALID_INPUT");
        (await _server.Get($"/api/streams/tokens/events?subscriber={name}")).MustRefuse(400, "INVALID_INPUT");
        (await _server.Get("/api/streams/tokens")).MustRefuse(404, "NOT_FOUND");
    }

    [Fact]
    public async Task The_filter_is_the_subscribers_and_none_is_given_beside_it()
    {
        (await _server.Get("/api/streams/filters/events?subscriber=a&types=x")).MustRefuse(400, "INVALID_INPUT");
        (await _server.Get("/api/events?streams=filters&subscriber=a")).MustRefuse(400, "INVALID_INPUT");
        (await _server.Get("/api/streams/filters")).MustRefuse(404, "NOT_FOUND");
    }

    [Fact]
    public async Task The_policy_of_who_registers_by_reading_is_the_servers_own()
    {
        await using var server = await TestServer.Start("--Subscribers:AckWait", "7", "--Subscribers:MaxAttempts", "2");
        var named = new Named(server);
        await named.Poll();
        var known = await named.Describe();
        Assert.Equal((7, 2, true), (known.GetProperty("policy").GetProperty("ackWait").GetInt32(),
            known.GetProperty("policy").GetProperty("maxAttempts").GetInt32(),
            known.GetProperty("expires").GetBoolean()));
        Assert.False((await named.Set("{}")).GetProperty("expires").GetBoolean());
    }
}
