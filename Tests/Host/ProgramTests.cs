using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Xunit;

namespace OrleansEvents.Tests.Host;

/// <summary>The program as an operator starts it: its exit code and what it says on which of the two outputs.</summary>
public sealed class ProgramTests
{
    [Theory]
    [InlineData("--bogus")]
    [InlineData("--store", "redis")]
    [InlineData("--store", "postgres")]
    [InlineData("--urls", "https://127.0.0.1:0", "--store", "memory")]
    public async Task A_refused_start_is_one_line_on_stderr_and_exit_code_2(params string[] args)
    {
        var (code, output, error) = await Run(args);
        Assert.Equal(2, code);
        Assert.Empty(output);
        Assert.StartsWith("OrleansEvents cannot start: --", Assert.Single(Lines(error)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_port_in_use_is_a_refused_start()
    {
        using var holder = new TcpListener(IPAddress.Loopback, 0);
        holder.Start();
        var url = $"http://{holder.LocalEndpoint}";
        var (code, output, error) = await Run("--urls", url, "--store", "memory");
        Assert.Equal(2, code);
        Assert.Empty(output);
        Assert.Equal([$"OrleansEvents cannot start: --urls: {url} is in use by another process"], Lines(error));
    }

    [Theory]
    [InlineData("--help", "Usage:")]
    [InlineData("--version", "OrleansEvents ")]
    [InlineData("--print-limits", "# Settings and limits")]
    public async Task What_only_asks_is_answered_on_stdout(string option, string start)
    {
        var (code, output, error) = await Run(option);
        Assert.Equal((0, ""), (code, error));
        Assert.StartsWith(start, output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_start_prints_its_address_and_two_lines_to_try_and_a_signal_ends_it_with_exit_code_0()
    {
        using var program = Start("--urls", "http://127.0.0.1:0", "--store", "memory");
        var banner = new List<string>();
        while (await program.StandardOutput.ReadLineAsync() is { } line
            && !line.StartsWith("Ctrl+C", StringComparison.Ordinal))
            banner.Add(line);
        Assert.Contains(banner, line => line.Contains("listens on http://127.0.0.1:", StringComparison.Ordinal));
        Assert.Equal(2, banner.Count(line => line.StartsWith("  curl ", StringComparison.Ordinal)));
        using (var kill = Process.Start("kill", ["-TERM", $"{program.Id}"]))
            await kill.WaitForExitAsync();
        await program.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.Equal(0, program.ExitCode);
    }

    private static string[] Lines(string text) => text.Split('\n', StringSplitOptions.RemoveEmptyEntries);

    private static async Task<(int Code, string Output, string Error)> Run(params string[] args)
    {
        using var program = Start(args);
        var output = program.StandardOutput.ReadToEndAsync();
        var error = program.StandardError.ReadToEndAsync();
        await program.WaitForExitAsync(TestContext.Current.CancellationToken);
        return (program.ExitCode, await output, await error);
    }

    private static Process Start(params string[] args)
    {
        var start = new ProcessStartInfo(Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet")
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = Path.GetTempPath(),
        };
        start.ArgumentList.Add(typeof(Api.ApiHost).Assembly.Location);
        foreach (var arg in args)
            start.ArgumentList.Add(arg);
        return Process.Start(start)!;
    }
}
