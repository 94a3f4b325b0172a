using OrleansEvents.Tests.Client;
using Xunit;

namespace OrleansEvents.Tests.Cli;

public sealed class TailCommandTests
{
    private const string Log = """{"type":"stderr","content":"bad \u001b[31mred\nü","timestamp":"x"}""";

    [Fact]
    public async Task A_pipe_gets_plain_lines_and_the_news_go_to_standard_error()
    {
        await using var server = await ScriptedServer.StartAsync();
        server
            .ThenFrames(
                Sse.Connected("c0"), Sse.Event(1, """{"a": "\u0007"}""", type: "created"),
                Sse.Event(2, Log, type: "log_entry"))
            .ThenFrames(
                Sse.Connected("c2"), Sse.Gap("c5", "3", "evicted"), Sse.Gap("c5", "null", "restart"), Sse.Event(6),
                Sse.Problem("SERVER_SHUTDOWN", "going\\ndown"), Sse.End());
        using var line = new CommandLine();

        var exit = await line.RunAsync("tail", "orders", "--url", server.Address + "");

        Assert.Equal(0, exit);
        Assert.Equal(
            """
            2026-01-02T03:04:05.678Z orders 1 created {"a": "\u0007"}
            2026-01-02T03:04:05.678Z orders 2 log_entry stderr bad \u001b[31mred\u000aü
            2026-01-02T03:04:05.678Z orders 6 message {}

            """,
            line.Out);
        var news = line.Error.Split('\n');
        Assert.StartsWith(
            "events: connection lost (the server closed the connection), next", news[0], StringComparison.Ordinal);
        Assert.Equal(
            ["events: connected again", "events: gap in orders: 3 events are missing (evicted)",
                "events: gap in orders: events may be missing (restart)",
                """events: problem SERVER_SHUTDOWN: going\u000adown""", "events: end of orders (completed)", ""],
            news[1..]);
        Assert.Equal([null, "c2"], server.Requests.Select(request => request.LastEventId));
    }

    [Fact]
    public async Task A_terminal_gets_colours_unless_it_does_not_want_them()
    {
        await using var server = await ScriptedServer.StartAsync();
        server.Otherwise = (context, _) => Sse.WriteAsync(
            context, Sse.Connected(), Sse.Event(2, Log, type: "log_entry"), Sse.End());
        using var coloured = new CommandLine { OutIsTerminal = true };
        using var plain = new CommandLine { OutIsTerminal = true };
        plain.Variables["NO_COLOR"] = "1";

        await coloured.RunAsync("tail", "orders", "--url", server.Address + "");
        await plain.RunAsync("tail", "orders", "--url", server.Address + "");

        Assert.Contains("\e[33mbad \\u001b[31mred\\u000aü\e[0m\n", coloured.Out, StringComparison.Ordinal);
        Assert.EndsWith(" 2 bad \\u001b[31mred\\u000aü\n", plain.Out, StringComparison.Ordinal);
        Assert.DoesNotContain('\e', plain.Out);
    }

    [Fact]
    public async Task Json_is_the_line_as_it_was_received()
    {
        await using var server = await ScriptedServer.StartAsync();
        server.ThenFrames(Sse.Connected(), Sse.Event(1, Log), Sse.Event(2, "  [ 1 ]"), Sse.End());
        using var line = new CommandLine { OutIsTerminal = true };

        await line.RunAsync("tail", "orders", "--json", "--url", server.Address + "");

        Assert.Equal(Sse.EventJson(1, Log) + "\n" + Sse.EventJson(2, "  [ 1 ]") + "\n", line.Out);
    }

    [Fact]
    public async Task Options_reach_the_server_and_a_pattern_reads_many()
    {
        await using var server = await ScriptedServer.StartAsync();
        server.Otherwise = (context, request) =>
            Sse.WriteAsync(context, Sse.Connected(), Sse.End(stream: "a"), Sse.End(stream: "b"));
        using var line = new CommandLine();

        await line.RunAsync(
            "tail", "a,b", "--after", "$", "--types", "x, y", "--types", "z", "--url", server.Address + "");

        var request = Assert.Single(server.Requests);
        Assert.Equal("/api/events", request.Path);
        Assert.StartsWith("?streams=a%2Cb&after=%24&types=x%2Cy%2Cz&", request.Query, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_refusal_ends_it_with_one_line()
    {
        await using var server = await ScriptedServer.StartAsync();
        server.ThenProblem(400, "INVALID_INPUT", "a bad cursor");
        using var line = new CommandLine();

        var exit = await line.RunAsync("tail", "orders", "--after", "?", "--url", server.Address + "");

        Assert.Equal(1, exit);
        Assert.Equal("events: INVALID_INPUT: a bad cursor\n", line.Error);
    }

    [Fact]
    public async Task Interrupted_it_ends_with_130()
    {
        await using var server = await ScriptedServer.StartAsync();
        server.ThenFramesAndSilence(Sse.Connected(), Sse.Event(1));
        using var line = new CommandLine();

        var running = line.RunAsync("tail", "orders", "--url", server.Address + "");
        await Until.TrueAsync(() => line.Out.Length > 0);
        line.Signals.Raise(2);

        Assert.Equal(130, await running);
        Assert.Equal("", line.Error);
    }

    [Fact]
    public async Task A_pipe_that_nobody_reads_ends_it_with_the_next_heartbeat()
    {
        await using var server = await ScriptedServer.StartAsync();
        var gone = false;
        var heartbeat = new TaskCompletionSource();
        server.Then(async context =>
        {
            await Sse.WriteAsync(context, Sse.Connected(), Sse.Event(1));
            await heartbeat.Task;
            await Sse.WriteAsync(context, Sse.Heartbeat);
            await ScriptedServer.UntilGoneAsync(context);
        });
        using var line = new CommandLine { IsClosed = descriptor => descriptor == 1 && gone };

        var running = line.RunAsync("tail", "orders", "--url", server.Address + "");
        await Until.TrueAsync(() => line.Out.Length > 0);
        gone = true;
        heartbeat.SetResult();

        Assert.Equal(0, await running);
        Assert.Equal("", line.Error);
    }
}
