using System.IO.Pipelines;
using OrleansEvents.Tests.Client;
using Xunit;

namespace OrleansEvents.Tests.Cli;

public sealed class PublishCommandTests
{
    [Fact]
    public async Task One_argument_is_the_data_of_one_event()
    {
        await using var server = await ScriptedServer.StartAsync();
        var recorder = new EventRecorder(server);
        using var line = new CommandLine();

        var exit = await line.RunAsync(
            "publish", "orders", """{"a":1}""", "--type", "created", "--critical", "--key", "k",
            "--url", server.Address + "");

        Assert.Equal(0, exit);
        Assert.Equal(
            """{"type":"created","critical":true,"key":"k","data":{"a":1}}""", recorder.Events.Single().GetRawText());
        Assert.Equal("events: orders 1 published, cursor c1\n", line.Error);
        Assert.Equal("", line.Out);
    }

    [Fact]
    public async Task Lines_are_whole_events_or_data()
    {
        await using var server = await ScriptedServer.StartAsync();
        var recorder = new EventRecorder(server);
        using var line = new CommandLine
        {
            In = CommandLine.Input(
                "\uFEFF{\"type\":\"a\",\"data\":[1],\"critical\":false,\"key\":\"mine\"}\r\n\n"
                + "{\"data\":1}\n  17  \n" + Sse.EventJson(4, "\"x\"") + "\n\"last without an end\""),
        };
        line.Variables["EVENTS_URL"] = server.Address.ToString();

        var exit = await line.RunAsync("publish", "orders", "--type", "note", "--critical", "--key", "job");

        Assert.Equal("", exit == 0 ? "" : line.Error);
        Assert.Equal(
            [
                """{"type":"a","critical":false,"key":"mine","data":[1]}""",
                """{"type":"note","critical":true,"key":"job/3","data":{"data":1}}""",
                """{"type":"note","critical":true,"key":"job/4","data":17}""",
                """{"type":"message","critical":false,"key":"job/5","time":"2026-01-02T03:04:05.678Z","data":"x"}""",
                """{"type":"note","critical":true,"key":"job/6","data":"last without an end"}""",
            ],
            recorder.Events.Select(@event => @event.GetRawText()));
        Assert.StartsWith("events: 5 events published to orders in ", line.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Many_lines_go_in_batches_and_a_terminal_sees_them_grow()
    {
        await using var server = await ScriptedServer.StartAsync();
        var recorder = new EventRecorder(server);
        using var line = new CommandLine
        {
            In = CommandLine.Input(string.Concat(Enumerable.Range(1, 5_000).Select(number => number + "\n"))),
            ErrorIsTerminal = true,
        };

        var exit = await line.RunAsync("publish", "orders", "-", "--url", server.Address + "");

        Assert.Equal(0, exit);
        Assert.Equal(Enumerable.Range(1, 5_000), recorder.Numbers);
        Assert.InRange(recorder.Requests, 5, 50);
        Assert.Contains("\r\e[K", line.Error, StringComparison.Ordinal);
        Assert.Contains("5,000 events published to orders", line.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_line_is_sent_before_the_next_one_comes()
    {
        await using var server = await ScriptedServer.StartAsync();
        var recorder = new EventRecorder(server);
        var pipe = new Pipe();
        using var line = new CommandLine { In = pipe.Reader.AsStream() };

        var running = line.RunAsync("publish", "orders", "--url", server.Address + "");
        await pipe.Writer.WriteAsync("1\n2"u8.ToArray());
        await Until.TrueAsync(() => recorder.Events.Count == 1);
        await pipe.Writer.WriteAsync("3\n"u8.ToArray());
        await Until.TrueAsync(() => recorder.Events.Count == 2);
        await pipe.Writer.CompleteAsync();

        Assert.Equal(0, await running);
        Assert.Equal([1, 23], recorder.Events.Select(@event => @event.GetProperty("data").GetInt32()));
    }

    [Theory]
    [InlineData("1\n2\n{\"a\":\n4\n", "INVALID_INPUT: line 3: ")]
    [InlineData("1\n2\n1 2\n", "INVALID_INPUT: line 3: ")]
    [InlineData("1\n2\n{\"type\":\"a\",\"data\":1,\"user\":\"z\"}\n", "line 3: an event has no member 'user'")]
    [InlineData("1\n2\n{\"type\":\"a\",\"data\":1,\"version\":\"z\"}\n", "line 3: an event has no member 'version'")]
    public async Task A_bad_line_ends_the_publishing_with_its_number(string input, string complaint)
    {
        await using var server = await ScriptedServer.StartAsync();
        var recorder = new EventRecorder(server);
        using var line = new CommandLine { In = CommandLine.Input(input) };

        var exit = await line.RunAsync("publish", "orders", "--url", server.Address + "");

        Assert.Equal(1, exit);
        Assert.Equal(2, recorder.Events.Count);
        Assert.Contains(complaint, line.Error, StringComparison.Ordinal);
        Assert.Contains("2 events published to orders", line.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_refusal_is_one_line_with_code_and_detail()
    {
        await using var server = await ScriptedServer.StartAsync();
        server.ThenProblem(409, "STREAM_COMPLETED", "orders has ended");
        using var line = new CommandLine();

        var exit = await line.RunAsync("publish", "orders", "1", "--url", server.Address + "");

        Assert.Equal(1, exit);
        Assert.Equal("events: STREAM_COMPLETED: orders has ended\n", line.Error);
    }

    [Theory]
    [InlineData(1, "INVALID_INPUT: the data is not JSON", "publish", "orders", "hello")]
    [InlineData(2, "give the event's data", "publish", "orders")]
    [InlineData(2, "Required argument missing", "publish")]
    [InlineData(2, "'ftp://x' is not an http", "publish", "orders", "1", "--url", "ftp://x")]
    [InlineData(2, "Unrecognized command or argument '--tipe'", "publish", "orders", "1", "--tipe", "x")]
    public async Task Mistakes_at_the_command_line_are_told_in_one_line(
        int expected, string complaint, params string[] arguments)
    {
        using var line = new CommandLine();

        var exit = await line.RunAsync(arguments);

        Assert.Equal(expected, exit);
        Assert.Contains(complaint, line.Error, StringComparison.Ordinal);
        Assert.Equal(1, line.Error.Count(character => character == '\n'));
    }
}
