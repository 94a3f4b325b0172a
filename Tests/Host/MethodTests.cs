using System.Net;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Xunit;

namespace OrleansEvents.Tests.Host;

public sealed class MethodTests
{
    [Fact]
    public async Task HEAD_is_where_GET_is_and_sends_its_headers_alone()
    {
        await using var server = await Given.Server();
        using var client = server.Client();
        using var get = await client.GetAsync("/healthz");
        using var head = await client.SendAsync(new HttpRequestMessage(HttpMethod.Head, "/healthz"));
        Assert.Equal(HttpStatusCode.OK, head.StatusCode);
        Assert.Equal(get.Content.Headers.ContentLength, head.Content.Headers.ContentLength);
        Assert.Empty(await head.Content.ReadAsByteArrayAsync());
    }

    [Fact]
    public async Task The_handler_sees_the_method_that_was_asked_for()
    {
        await using var server = await Given.Server(map: routes => routes.MapGet("/method", context =>
        {
            context.Response.Headers["Seen"] = context.Request.Method;
            return Task.CompletedTask;
        }));
        using var client = server.Client();
        using var head = await client.SendAsync(new HttpRequestMessage(HttpMethod.Head, "/method"));
        Assert.Equal("HEAD", head.Headers.GetValues("Seen").Single());
    }

    [Fact]
    public async Task A_wrong_method_is_a_problem_that_says_which_are_right()
    {
        await using var server = await Given.Server(map: routes =>
        {
            routes.MapGet("/thing", _ => Task.CompletedTask);
            routes.MapPost("/thing", _ => Task.CompletedTask);
        });
        using var client = server.Client();
        using var answer = await client.DeleteAsync("/thing");
        Assert.Equal(HttpStatusCode.MethodNotAllowed, answer.StatusCode);
        Assert.Equal("INVALID_INPUT", (await answer.Json()).Code());
        Assert.Equal(["GET", "HEAD", "OPTIONS", "POST"], answer.Content.Headers.Allow);
    }

    [Fact]
    public async Task OPTIONS_says_what_a_path_allows()
    {
        await using var server = await Given.Server();
        using var client = server.Client();
        using var answer = await client.SendAsync(new HttpRequestMessage(HttpMethod.Options, "/healthz"));
        Assert.Equal(HttpStatusCode.NoContent, answer.StatusCode);
        Assert.Equal(["GET", "HEAD", "OPTIONS"], answer.Content.Headers.Allow);
        using var nowhere = await client.SendAsync(new HttpRequestMessage(HttpMethod.Options, "/nowhere"));
        Assert.Equal(HttpStatusCode.NotFound, nowhere.StatusCode);
    }

    [Fact]
    public async Task A_trailing_slash_is_the_same_path()
    {
        await using var server = await Given.Server();
        using var client = server.Client();
        Assert.Equal(HttpStatusCode.OK, (await client.GetAsync("/healthz/")).StatusCode);
    }

    [Fact]
    public async Task Answers_do_not_name_the_server()
    {
        await using var server = await Given.Server();
        using var client = server.Client();
        using var answer = await client.GetAsync("/healthz");
        Assert.Empty(answer.Headers.Server);
    }

    [Fact]
    public async Task Headers_over_the_limit_are_refused()
    {
        await using var server = await Given.Server(["--Limits:HeaderBytes", "9000", "--Limits:PositionBytes", "4000"]);
        var long1 = new string('a', 9000);
        var answer = await RawHttp.Exchange(server.Address,
            Encoding.ASCII.GetBytes($"GET /healthz HTTP/1.1\r\nHost: x\r\nLong: {long1}\r\n\r\n"));
        Assert.StartsWith("HTTP/1.1 431 ", answer, StringComparison.Ordinal);
    }
}
