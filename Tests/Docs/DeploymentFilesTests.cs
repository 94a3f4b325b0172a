using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;
using OrleansEvents.Api.Options;
using Xunit;

namespace OrleansEvents.Tests.Docs;

/// <summary>What production needs is in the files that production starts with.</summary>
public sealed class DeploymentFilesTests
{
    private const string Unit = "deploy/orleans-events.service";

    [Theory]
    [InlineData(Unit)]
    [InlineData("Dockerfile")]
    public void The_environment_has_what_only_the_environment_can_set(string file)
    {
        var text = Documents.Read(file);
        foreach (var setting in Quoted("docs/performance.md", "DOTNET_"))
            Assert.Matches($@"(?m)^(Environment=|ENV |    ){Regex.Escape(setting)}\b", text);
    }

    [Fact]
    public void The_limits_of_the_process_are_above_those_of_the_server()
    {
        var options = new ServerOptions();
        Assert.True(NumberIn(Unit, "LimitNOFILE=") > options.Limits.Connections * 2);
        Assert.True(NumberIn("docker-compose.yml", "nofile: ") > options.Limits.Connections * 2);
        var stop = (options.Shutdown.Drain + options.Shutdown.Close).TotalSeconds + 5;
        Assert.True(NumberIn(Unit, "TimeoutStopSec=") >= stop);
        Assert.True(NumberIn("docker-compose.yml", "stop_grace_period: ") >= stop);
    }

    [Fact]
    public async Task Systemd_finds_nothing_wrong_with_the_unit_file()
    {
        Assert.SkipUnless(File.Exists("/usr/bin/systemd-analyze"), "There is no systemd-analyze.");
        var start = new ProcessStartInfo("systemd-analyze", ["verify", Path.Combine(Documents.Root, Unit)])
        {
            RedirectStandardError = true,
            RedirectStandardOutput = true,
        };
        using var verify = Process.Start(start)!;
        var said = await verify.StandardError.ReadToEndAsync();
        await verify.WaitForExitAsync();
        // The program is installed elsewhere on machines that develop it.
        var wrong = said.Split('\n').Where(line => line.Contains("orleans-events", StringComparison.Ordinal)
            && !line.Contains("is not executable", StringComparison.Ordinal));
        Assert.Empty(wrong);
    }

    private static List<string> Quoted(string document, string beginning)
    {
        var quoted = Documents.Quoted(Documents.Read(document))
            .Where(each => each.StartsWith(beginning, StringComparison.Ordinal) && each.Contains('=')).Distinct()
            .ToList();
        Assert.NotEmpty(quoted);
        return quoted;
    }

    private static int NumberIn(string file, string name)
    {
        var match = Regex.Match(Documents.Read(file), $@"(?m)^\s*{Regex.Escape(name)}(\d+)");
        Assert.True(match.Success, $"{name} in {file}");
        return int.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture);
    }
}
