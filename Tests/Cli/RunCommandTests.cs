using OrleansEvents.Tests.Client;
using Xunit;

namespace OrleansEvents.Tests.Cli;

/// <summary>Real commands, the command line in this process.</summary>
public sealed class RunCommandTests
{
    [Fact]
    public async Task Output_is_recorded_echoed_and_the_stream_completed()
    {
        await using var server = await ScriptedServer.StartAsync();
        var recorder = new EventRecorder(server);
        using var line = new CommandLine();

        var exit = await line.RunAsync(
            "run", "build", "--url", server.Address + "", "--", "sh", "-c",
            """printf 'one\r\ntwo\n\nhalf'; printf 'wrong\n' >&2; exit 7""");

        Assert.Equal(7, exit);
        Assert.Equal("one\r\ntwo\n\nhalf", line.Out);
        Assert.Equal("wrong\n", line.Error);
        Assert.Equal(["one", "two", "", "half"], recorder.Lines("stdout"));
        Assert.Equal(["wrong"], recorder.Lines("stderr"));
        Assert.StartsWith("system: started: sh -c ", recorder.Entries[0], StringComparison.Ordinal);
        Assert.StartsWith("system: exited with code 7 after ", recorder.Entries[^1], StringComparison.Ordinal);
        Assert.All(recorder.Events, @event => Assert.Equal("log_entry", @event.GetProperty("type").GetString()));
        Assert.True(recorder.IsCompleted);
    }

    [Fact]
    public async Task A_command_without_output_has_its_start_and_exit()
    {
        await using var server = await ScriptedServer.StartAsync();
        var recorder = new EventRecorder(server);

        var exit = await new CommandLine().RunAsync("run", "build", "--url", server.Address + "", "--", "true");

        Assert.Equal(0, exit);
        Assert.Equal(2, recorder.Lines("system").Count());
        Assert.Equal(2, recorder.Events.Count);
    }

    [Fact]
    public async Task Much_output_arrives_whole_and_in_order()
    {
        await using var server = await ScriptedServer.StartAsync();
        var recorder = new EventRecorder(server);
        using var line = new CommandLine();

        var exit = await line.RunAsync(
            "run", "build", "--url", server.Address + "", "--queue", "100", "--", "seq", "1", "20000");

        Assert.Equal(0, exit);
        Assert.Equal(Enumerable.Range(1, 20_000).Select(number => $"{number}"), recorder.Lines("stdout"));
    }

    [Theory]
    [InlineData(127, "no-such-command-anywhere", "error: no-such-command-anywhere: command not found")]
    [InlineData(126, "/", "error: /: cannot be executed")]
    public async Task A_command_that_cannot_start_is_told_in_the_stream(int expected, string command, string entry)
    {
        await using var server = await ScriptedServer.StartAsync();
        var recorder = new EventRecorder(server);
        using var line = new CommandLine();

        var exit = await line.RunAsync("run", "build", "--url", server.Address + "", "--", command);

        Assert.Equal(expected, exit);
        Assert.Equal([entry], recorder.Entries);
        Assert.True(recorder.IsCompleted);
        Assert.Contains(command, line.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Server_that_comes_later_gets_everything_once_and_in_order()
    {
        var port = await FreePortAsync();
        var folder = Directory.CreateTempSubdirectory();
        var go = Path.Combine(folder.FullName, "go");
        using var line = new CommandLine();

        var running = line.RunAsync(
            "run", "build", "--url", $"http://127.0.0.1:{port}", "--", "sh", "-c",
            $"seq 1 50; while ! test -e {go}; do sleep 0.01; done; seq 51 100");
        await Until.TrueAsync(() => line.Error.Contains("output is queued", StringComparison.Ordinal));
        await using var server = await ScriptedServer.StartAsync(port);
        var recorder = new EventRecorder(server);
        server.Then(async context =>
        {
            await Task.Yield();
            context.Abort();
        });
        await File.WriteAllTextAsync(go, "");

        Assert.Equal(0, await running);
        Assert.Equal(Enumerable.Range(1, 100).Select(number => $"{number}"), recorder.Lines("stdout"));
        Assert.True(recorder.IsCompleted);
        Assert.Contains("the server takes events again", line.Error, StringComparison.Ordinal);
        folder.Delete(recursive: true);
    }

    [Fact]
    public async Task An_answer_that_is_lost_doubles_nothing()
    {
        await using var server = await ScriptedServer.StartAsync();
        var recorder = new EventRecorder(server);
        var takes = server.Otherwise!;
        var lost = 0;
        server.Otherwise = async (context, request) =>
        {
            await takes(context, request);
            if (Interlocked.Increment(ref lost) <= 2)
                context.Abort();
        };

        var exit = await new CommandLine().RunAsync(
            "run", "build", "--url", server.Address + "", "--", "seq", "1", "100");

        Assert.Equal(0, exit);
        Assert.Equal(Enumerable.Range(1, 100).Select(number => $"{number}"), recorder.Lines("stdout"));
        Assert.True(recorder.IsCompleted);
    }

    [Fact]
    public async Task What_does_not_fit_the_queue_is_dropped_and_said()
    {
        var port = await FreePortAsync();
        var folder = Directory.CreateTempSubdirectory();
        var go = Path.Combine(folder.FullName, "go");
        using var line = new CommandLine();

        var running = line.RunAsync(
            "run", "build", "--queue", "10", "--url", $"http://127.0.0.1:{port}", "--", "sh", "-c",
            $"while ! test -e {go}; do sleep 0.01; done; seq 1 1000");
        await Until.TrueAsync(() => line.Error.Contains("output is queued", StringComparison.Ordinal));
        await File.WriteAllTextAsync(go, "");
        await Until.TrueAsync(() => line.Out.EndsWith("\n1000\n", StringComparison.Ordinal));
        await using var server = await ScriptedServer.StartAsync(port);
        var recorder = new EventRecorder(server);

        Assert.Equal(0, await running);
        // Nine numbers and the farewell are the newest ten.
        Assert.Equal(
            ["error: entries dropped here while the server was away and the queue was full: 991",
                .. Enumerable.Range(992, 9).Select(number => $"stdout: {number}")],
            recorder.Entries.Skip(1).SkipLast(1));
        Assert.Contains("entries dropped while the server was away: 991", line.Error, StringComparison.Ordinal);
        folder.Delete(recursive: true);
    }

    [Fact]
    public async Task Server_that_stays_away_disturbs_nothing_and_the_loss_is_said()
    {
        var port = await FreePortAsync();
        using var line = new CommandLine();

        var exit = await line.RunAsync(
            "run", "build", "--wait", "0.1", "--url", $"http://127.0.0.1:{port}", "--", "sh", "-c", "echo out; exit 5");

        Assert.Equal(5, exit);
        Assert.Equal("out\n", line.Out);
        Assert.Contains("entries not sent: 3: NETWORK_ERROR", line.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_stream_that_has_ended_can_be_begun_anew()
    {
        await using var server = await ScriptedServer.StartAsync();
        var recorder = new EventRecorder(server) { IsCompleted = true };
        using var refused = new CommandLine();

        Assert.Equal(3, await refused.RunAsync(
            "run", "build", "--url", server.Address + "", "--", "sh", "-c", "exit 3"));
        Assert.Contains("nothing more is recorded: STREAM_COMPLETED", refused.Error, StringComparison.Ordinal);
        Assert.Empty(recorder.Events);

        Assert.Equal(0, await new CommandLine().RunAsync(
            "run", "build", "--replace", "--keep-open", "--url", server.Address + "", "--", "echo", "new"));
        Assert.Equal(["new"], recorder.Lines("stdout"));
        Assert.False(recorder.IsCompleted);
    }

    [Fact]
    public async Task A_server_with_smaller_limits_gets_smaller_batches()
    {
        await using var server = await ScriptedServer.StartAsync();
        var recorder = new EventRecorder(server);
        var takes = server.Otherwise!;
        server.Otherwise = (context, request) => request.Body.Length > 2_000
            ? ScriptedServer.RefuseAsync(context, 413, "EVENT_TOO_LARGE", "2000 bytes at most")
            : takes(context, request);

        var exit = await new CommandLine().RunAsync(
            "run", "build", "--url", server.Address + "", "--", "seq", "1", "300");

        Assert.Equal(0, exit);
        Assert.Equal(Enumerable.Range(1, 300).Select(number => $"{number}"), recorder.Lines("stdout"));
    }

    [Fact]
    public async Task Something_left_in_the_background_does_not_hold_it()
    {
        await using var server = await ScriptedServer.StartAsync();
        var recorder = new EventRecorder(server);

        var exit = await new CommandLine().RunAsync(
            "run", "build", "--url", server.Address + "", "--", "sh", "-c", "sleep 300 & echo $!");

        Assert.Equal(0, exit);
        var left = int.Parse(recorder.Lines("stdout").Single(), System.Globalization.CultureInfo.InvariantCulture);
        System.Diagnostics.Process.GetProcessById(left).Kill();
    }

    private static async Task<int> FreePortAsync()
    {
        await using var server = await ScriptedServer.StartAsync();
        return server.Address.Port;
    }
}
