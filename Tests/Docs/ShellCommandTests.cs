using System.Diagnostics;
using System.Text.Json;
using OrleansEvents.Cli;
using Xunit;

namespace OrleansEvents.Tests.Docs;

/// <summary>The shell commands of the README and the guide, one after the other, against a real server.</summary>
public sealed class ShellCommandTests
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    [Fact]
    public async Task The_commands_of_the_readme_and_the_guide_work()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "The commands are for a POSIX shell.");
        using var server = await ServerProcess.Start();
        string[] documents = ["README.md", "docs/guide.md"];
        var commands = documents.SelectMany(document => Documents.Blocks(Documents.Read(document), "sh"))
            .SelectMany(block => block.Split('\n', StringSplitOptions.RemoveEmptyEntries)).ToList();
        Assert.True(commands.Count >= 10, $"{commands.Count} commands found");
        foreach (var command in commands)
            await Check(command, Runnable(command, server.Address));
    }

    /// <summary>As it stands, but with this server, the tests' own build, and a quick program for the slow
    /// one.</summary>
    private static string Runnable(string command, string address) => command
        .Replace("http://127.0.0.1:5080", address, StringComparison.Ordinal)
        .Replace("dotnet build", "dotnet --version", StringComparison.Ordinal)
        .Replace("dotnet run --project Cli --",
            $"'{ServerProcess.Dotnet}' '{typeof(EventsCommandLine).Assembly.Location}'", StringComparison.Ordinal)
        .Replace("curl ", "curl -sS --fail-with-body ", StringComparison.Ordinal)
        .Insert(0, $"export EVENTS_URL={address}; exec ");

    private static async Task Check(string command, string runnable)
    {
        var start = new ProcessStartInfo("bash")
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = Documents.Root,
        };
        start.ArgumentList.Add("-c");
        start.ArgumentList.Add(runnable);
        using var process = Process.Start(start)!;
        var error = process.StandardError.ReadToEndAsync();
        var endless = command.Contains("curl -N", StringComparison.Ordinal)
            || command.Contains(" tail ", StringComparison.Ordinal);
        if (endless)
        {
            await FirstEvent(command, process.StandardOutput).WaitAsync(s_patience);
            process.Kill(entireProcessTree: true);
            return;
        }
        var output = await process.StandardOutput.ReadToEndAsync().WaitAsync(s_patience);
        await process.WaitForExitAsync();
        Assert.True(process.ExitCode == 0, $"{command}: exit code {process.ExitCode}: {output}{await error}");
        if (command.StartsWith("curl", StringComparison.Ordinal))
            Assert.Equal(JsonValueKind.Object, JsonSerializer.Deserialize<JsonElement>(output).ValueKind);
    }

    /// <summary>An event of the stream, in a frame or as the command line prints it.</summary>
    private static async Task FirstEvent(string command, StreamReader output)
    {
        while (await output.ReadLineAsync() is { } line)
        {
            if (line.Contains("\"seq\":1,", StringComparison.Ordinal) || line.Contains(" hello 1 ",
                StringComparison.Ordinal))
                return;
        }
        Assert.Fail($"{command}: ended without an event");
    }
}
