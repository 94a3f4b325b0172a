using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Xunit;

namespace OrleansEvents.Tests.Host;

public sealed class CrossOriginTests
{
    [Fact]
    public async Task Unconfigured_no_page_of_another_origin_may_read()
    {
        using var answer = await Ask([], HttpMethod.Get, "https://a.example");
        Assert.False(answer.Headers.Contains("Access-Control-Allow-Origin"));
    }

    [Fact]
    public async Task A_listed_origin_is_allowed_by_name_with_credentials()
    {
        using var answer = await Ask(["--Cors:Origins", "https://a.example"], HttpMethod.Get, "https://a.example");
        Assert.Equal("https://a.example", Header(answer, "Access-Control-Allow-Origin"));
        Assert.Equal("true", Header(answer, "Access-Control-Allow-Credentials"));
        Assert.Contains("Retry-After", Header(answer, "Access-Control-Expose-Headers"), StringComparison.Ordinal);
        Assert.Equal(["Accept", "Origin"], answer.Headers.Vary);
    }

    [Fact]
    public async Task Another_origin_is_not_and_caches_are_told_that_it_matters()
    {
        using var answer = await Ask(["--Cors:Origins", "https://a.example"], HttpMethod.Get, "https://b.example");
        Assert.False(answer.Headers.Contains("Access-Control-Allow-Origin"));
        Assert.Equal(["Accept", "Origin"], answer.Headers.Vary);
    }

    [Fact]
    public async Task A_page_of_another_origin_may_not_write_without_asking()
    {
        await using var server = await Http.TestServer.Start();
        (string, string)[] foreign = [("Sec-Fetch-Site", "cross-site"), ("Origin", "https://evil.example")];
        await server.Publish("orders", "{\"type\":\"made\",\"data\":1}");
        (await server.Post("/api/streams/orders/complete", headers: foreign))
            .MustRefuse(403, "PERMISSION_DENIED");
        (await server.Post("/api/streams/orders/complete", headers: ("Sec-Fetch-Site", "same-origin")))
            .Must(HttpStatusCode.OK);
    }

    [Fact]
    public async Task Any_origin_is_allowed_without_credentials()
    {
        using var answer = await Ask(["--Cors:Origins", "*"], HttpMethod.Get, "https://b.example");
        Assert.Equal("*", Header(answer, "Access-Control-Allow-Origin"));
        Assert.False(answer.Headers.Contains("Access-Control-Allow-Credentials"));
    }

    [Fact]
    public async Task A_problem_can_be_read_across_origins_too()
    {
        using var answer = await Ask(["--Cors:Origins", "*"], HttpMethod.Get, "https://b.example", "/nowhere");
        Assert.Equal(HttpStatusCode.NotFound, answer.StatusCode);
        Assert.Equal("*", Header(answer, "Access-Control-Allow-Origin"));
    }

    [Theory]
    [InlineData("https://a.example", true)]
    [InlineData("https://b.example", false)]
    public async Task A_preflight_is_answered_for_listed_origins_only(string origin, bool isAllowed)
    {
        using var answer = await Ask(["--Cors:Origins", "https://a.example"], HttpMethod.Options, origin);
        Assert.Equal(HttpStatusCode.NoContent, answer.StatusCode);
        Assert.Equal(isAllowed, answer.Headers.Contains("Access-Control-Allow-Methods"));
        if (!isAllowed)
            return;
        foreach (var name in new[] { "Last-Event-ID", "Idempotency-Key", "Content-Type" })
            Assert.Contains(name, Header(answer, "Access-Control-Allow-Headers"), StringComparison.Ordinal);
    }

    private static string Header(HttpResponseMessage answer, string name) => answer.Headers.GetValues(name).Single();

    private static async Task<HttpResponseMessage> Ask(
        string[] options, HttpMethod method, string origin, string path = "/thing")
    {
        await using var server = await Given.Server(options, map: routes => routes.MapGet("/thing", context =>
        {
            context.Response.Headers.Vary = "Accept";
            return Task.CompletedTask;
        }));
        using var client = server.Client();
        using var request = new HttpRequestMessage(method, path);
        request.Headers.Add("Origin", origin);
        if (method == HttpMethod.Options)
            request.Headers.Add("Access-Control-Request-Method", "POST");
        return await client.SendAsync(request);
    }
}
