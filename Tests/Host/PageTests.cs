using System.Net;
using System.Text.RegularExpressions;
using Xunit;

namespace OrleansEvents.Tests.Host;

public sealed class PageTests
{
    [Theory]
    [InlineData("/", "text/html")]
    [InlineData("/page.js", "text/javascript")]
    [InlineData("/page.css", "text/css")]
    public async Task Each_file_of_the_page_is_served_with_the_policy(string path, string type)
    {
        await using var server = await Given.Server();
        using var client = server.Client();
        using var answer = await client.GetAsync(path);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal(type, answer.Content.Headers.ContentType!.MediaType);
        Assert.Equal("default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
            + "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
            answer.Headers.GetValues("Content-Security-Policy").Single());
        Assert.Equal("nosniff", answer.Headers.GetValues("X-Content-Type-Options").Single());
    }

    [Fact]
    public async Task A_browser_that_has_the_file_is_told_so()
    {
        await using var server = await Given.Server();
        using var client = server.Client();
        using var first = await client.GetAsync("/page.js");
        using var request = new HttpRequestMessage(HttpMethod.Get, "/page.js");
        request.Headers.IfNoneMatch.Add(first.Headers.ETag!);
        using var second = await client.SendAsync(request);
        Assert.Equal(HttpStatusCode.NotModified, second.StatusCode);
    }

    [Fact]
    public async Task The_page_asks_for_nothing_that_its_policy_forbids()
    {
        await using var server = await Given.Server();
        using var client = server.Client();
        var html = await client.GetStringAsync("/");
        Assert.DoesNotMatch(@"<script(?![^>]*\bsrc=)|\son\w+=|\sstyle=|<style", html);
        foreach (Match link in Regex.Matches(html, "(?:src|href)=\"([^\"]+)\""))
            Assert.Matches("^(data:,|page\\.(css|js))$", link.Groups[1].Value);
    }

    [Fact]
    public async Task The_page_never_makes_markup_from_data()
    {
        await using var server = await Given.Server();
        using var client = server.Client();
        var script = await client.GetStringAsync("/page.js");
        Assert.DoesNotMatch(@"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function", script);
    }

    [Fact]
    public async Task Every_part_that_the_script_uses_is_in_the_page()
    {
        await using var server = await Given.Server();
        using var client = server.Client();
        var html = await client.GetStringAsync("/");
        var script = await client.GetStringAsync("/page.js");
        foreach (Match part in Regex.Matches(script, @"\bpart\('([^']+)'\)"))
            Assert.Contains($"id=\"{part.Groups[1].Value}\"", html, StringComparison.Ordinal);
    }
}
