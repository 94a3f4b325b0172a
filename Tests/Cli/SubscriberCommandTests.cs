using OrleansEvents.Tests.Client;
using Xunit;

namespace OrleansEvents.Tests.Cli;

public sealed class SubscriberCommandTests
{
    private const string Path = "/api/streams/orders/subscribers/billing";

    [Fact]
    public async Task Set_sends_what_is_given_and_prints_the_answer()
    {
        await using var server = await ScriptedServer.StartAsync();
        server.ThenJson(200, """{"subscriber":"billing","ackWait":0.5}""");
        using var line = new CommandLine();

        var exit = await line.RunAsync(
            "subscriber", "set", "orders", "billing", "--ack-wait", "0.5", "--max-attempts", "7", "--backoff", "1,2.5",
            "--mode", "compete", "--owed", "all", "--from", "new", "--types", "a,b", "--overflow", "block",
            "--url", server.Address + "");

        Assert.Equal((0, "{\"subscriber\":\"billing\",\"ackWait\":0.5}\n"), (exit, line.Out));
        var request = Assert.Single(server.Requests);
        Assert.Equal(("PUT", Path), (request.Method, request.Path));
        Assert.Equal(
            """
            {"ackWait":0.5,"maxAttempts":7,"backoff":[1,2.5],"mode":"compete","owed":"all","from":"new",
            "types":["a","b"],"overflow":"block"}
            """.ReplaceLineEndings(""),
            request.Body);
    }

    [Theory]
    [InlineData("set orders billing", "PUT", "", "{}")]
    [InlineData("show orders billing", "GET", "", "")]
    [InlineData("replay orders billing", "POST", "/dead-letters/replay", "{}")]
    [InlineData("purge orders billing", "DELETE", "/dead-letters", "")]
    [InlineData("remove orders billing", "DELETE", "", "")]
    public async Task Each_command_is_one_request(string arguments, string method, string part, string body)
    {
        await using var server = await ScriptedServer.StartAsync();
        server.ThenJson(200, """{"a":1}""");
        using var line = new CommandLine();

        Assert.Equal(
            0, await line.RunAsync(["subscriber", .. arguments.Split(' '), "--url", server.Address.ToString()]));

        var request = Assert.Single(server.Requests);
        Assert.Equal((method, Path + part, body), (request.Method, request.Path, request.Body));
    }

    [Fact]
    public async Task What_is_owed_and_what_was_parked_is_listed_over_all_pages()
    {
        const string Parked = """{"id":"c2","seq":2,"stream":"orders","type":"message","data":2,"attempt":5,"""
            + """ "history":[{"time":"2026-01-02T03:04:05.678Z","reason":"timeout"}]}""";
        await using var server = await ScriptedServer.StartAsync();
        server
            .ThenJson(200, $$"""{"events":[{{Sse.EventJson(1)}}],"cursor":"c1","more":true}""")
            .ThenJson(200, $$"""{"events":[{{Parked}}],"cursor":"c2","more":false}""")
            .ThenJson(200, $$"""{"events":[{{Parked}}],"cursor":"c2","more":false}""")
            .ThenJson(200, $$"""{"events":[{{Parked}}],"cursor":"c2","more":false}""");
        using var plain = new CommandLine();
        using var json = new CommandLine();
        using var person = new CommandLine { OutIsTerminal = true };
        string[] names = ["orders", "billing", "--url", server.Address.ToString()];

        await plain.RunAsync(["subscriber", "pending", .. names]);
        await json.RunAsync(["subscriber", "dead-letters", "--json", .. names]);
        await person.RunAsync(["subscriber", "dead-letters", .. names]);

        Assert.Equal("2026-01-02T03:04:05.678Z orders 1 message {}\n- orders 2/5 message 2\n", plain.Out);
        Assert.Equal(Parked + "\n", json.Out);
        Assert.Contains("timeout\n", person.Out, StringComparison.Ordinal);
        Assert.Equal(
            [Path + "/pending?limit=1000", Path + "/pending?limit=1000&after=c1", Path + "/dead-letters?limit=1000"],
            server.Requests.Select(request => request.Path + request.Query).Distinct());
    }

    [Fact]
    public async Task The_list_is_a_line_for_each_subscriber()
    {
        await using var server = await ScriptedServer.StartAsync();
        server.ThenJson(200, """{"subscribers":[{"subscriber":"a","pending":1},{"subscriber":"b"}]}""");
        using var line = new CommandLine();

        await line.RunAsync("subscriber", "list", "orders", "--url", server.Address + "");

        Assert.Equal("{\"subscriber\":\"a\",\"pending\":1}\n{\"subscriber\":\"b\"}\n", line.Out);
    }
}
