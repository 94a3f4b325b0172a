using OrleansEvents.Tests.Client;
using Xunit;

namespace OrleansEvents.Tests.Cli;

/// <summary>The command line as a process of its own, with real pipes and signals.</summary>
public sealed class ProcessTests
{
    [Fact]
    public async Task Run_passes_input_output_and_exit_code_through()
    {
        await using var server = await ScriptedServer.StartAsync();
        var recorder = new EventRecorder(server);

        var (exit, output, error) = await Shell.RunAsync(
            server.Address, "printf 'in\\n' | events run build -- sh -c 'cat; echo err >&2; exit 9' -- -x @y");

        Assert.Equal((9, "in\n", "err\n"), (exit, output, error));
        Assert.Equal(["in"], recorder.Lines("stdout"));
        Assert.Equal(["err"], recorder.Lines("stderr"));
        Assert.True(recorder.IsCompleted);
    }

    [Theory]
    [InlineData("TERM", 143)]
    [InlineData("INT", 130)]
    public async Task Run_hands_a_signal_to_its_command(string signal, int expected)
    {
        await using var server = await ScriptedServer.StartAsync();
        var recorder = new EventRecorder(server);
        using var process = Shell.Start(
            server.Address, "exec events run build -- sh -c 'echo ready; exec sleep 300'", ownSession: true);
        await Until.TrueAsync(() => recorder.Lines("stdout").Any());

        await Shell.KillAsync(signal, process.Id);
        await process.WaitForExitAsync();

        Assert.Equal(expected, process.ExitCode);
        Assert.StartsWith(
            $"exited with code {expected} (signal ", recorder.Lines("system").Last(), StringComparison.Ordinal);
        Assert.True(recorder.IsCompleted);
    }

    [Fact]
    public async Task Run_lets_its_command_decide_about_a_signal()
    {
        await using var server = await ScriptedServer.StartAsync();
        var recorder = new EventRecorder(server);
        using var process = Shell.Start(
            server.Address,
            "exec events run build -- "
                + "sh -c 'trap \"echo caught; exit 4\" TERM; echo ready; while :; do sleep 0.05; done'",
            ownSession: true);
        await Until.TrueAsync(() => recorder.Lines("stdout").Any());

        await Shell.KillAsync("TERM", process.Id);
        await process.WaitForExitAsync();

        Assert.Equal(4, process.ExitCode);
        Assert.Equal(["ready", "caught"], recorder.Lines("stdout"));
    }

    [Fact]
    public async Task A_command_whose_output_nobody_reads_learns_it()
    {
        await using var server = await ScriptedServer.StartAsync();
        var recorder = new EventRecorder(server);

        var (_, output, error) = await Shell.RunAsync(server.Address, "events run build -- yes | head -n 1");

        Assert.Equal(("y\n", ""), (output, error));
        Assert.StartsWith("exited with code 141 ", recorder.Lines("system").Last(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Tail_into_head_ends_quietly()
    {
        await using var server = await ScriptedServer.StartAsync();
        server.Then(async context =>
        {
            await Sse.WriteAsync(context, Sse.Connected(), Sse.Event(1));
            while (!context.RequestAborted.IsCancellationRequested)
            {
                await Sse.WriteAsync(context, Sse.Heartbeat);
                await Task.Delay(20);
            }
        });

        var (exit, output, error) = await Shell.RunAsync(
            server.Address, "events tail orders | head -n 1; exit ${PIPESTATUS[0]}");

        Assert.Equal((0, "2026-01-02T03:04:05.678Z orders 1 message {}\n", ""), (exit, output, error));
    }

    [Fact]
    public async Task Interrupted_tail_ends_with_130()
    {
        await using var server = await ScriptedServer.StartAsync();
        server.ThenFramesAndSilence(Sse.Connected(), Sse.Event(1));
        using var process = Shell.Start(server.Address, "exec events tail orders --json", ownSession: true);
        Assert.Equal(Sse.EventJson(1), await process.StandardOutput.ReadLineAsync());

        await Shell.KillAsync("INT", process.Id);
        await process.WaitForExitAsync();

        Assert.Equal(130, process.ExitCode);
    }

    [Fact]
    public async Task Publish_reads_lines_from_a_pipe()
    {
        await using var server = await ScriptedServer.StartAsync();
        var recorder = new EventRecorder(server);

        var (exit, _, error) = await Shell.RunAsync(server.Address, "seq 1 3000 | events publish numbers");

        Assert.Equal(0, exit);
        Assert.Equal(Enumerable.Range(1, 3_000), recorder.Numbers);
        Assert.StartsWith("events: 3,000 events published to numbers", error, StringComparison.Ordinal);
    }
}
