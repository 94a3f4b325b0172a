using System.Net;
using OrleansEvents.Tests.Http;
using Xunit;

namespace OrleansEvents.Tests.Docs;

public sealed class GuideSnippetTests
{
    [Fact]
    public void The_guide_shows_what_is_compiled()
    {
        var source = Documents.Read("Tests/Docs/GuideSnippet.cs");
        var lines = source.Split("// begin\n")[1].Split("        // end")[0].Split('\n');
        var compiled = string.Join('\n', lines.Select(line => line.Length > 8 ? line[8..] : line.Trim()))
            .Replace("(server)", "(new Uri(\"http://127.0.0.1:5080\"))", StringComparison.Ordinal)
            .Replace("output.", "Console.", StringComparison.Ordinal);
        Assert.Equal(compiled, Assert.Single(Documents.Blocks(Documents.Read("docs/guide.md"), "csharp")));
    }

    [Fact]
    public async Task What_the_guide_shows_of_the_client_works()
    {
        await using var server = await TestServer.Start();
        using var output = new StringWriter();
        var running = GuideSnippet.Run(server.Address, output);
        while (!await IsAcknowledged(server))
            await Task.Yield();

        await server.Post("/api/streams/payments/complete");
        await running;

        Assert.Equal("""1 paid {"order":1,"amount":9.5}""", output.ToString().Trim());
    }

    private static async Task<bool> IsAcknowledged(TestServer server) =>
        await server.Get("/api/streams/payments/subscribers/billing/pending") is { Status: HttpStatusCode.OK } pending
        && pending.Json.GetProperty("events").GetArrayLength() == 0
        && (await server.Get("/api/streams/payments")).Json.GetProperty("storedEvents").GetInt32() == 0;

}
