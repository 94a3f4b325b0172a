using System.Globalization;
using Xunit;

namespace OrleansEvents.Tests.Crash;

/// <summary>Kills of the real process at moments drawn by chance, under load, all on one data folder.</summary>
[Collection("Processes")]
public sealed class CrashSeriesTests(ITestOutputHelper output)
{
    private const int StartsPerKillWhileStarting = 6;
    private static readonly bool s_isLong = Environment.GetEnvironmentVariable("TEST_LONG") == "1";
    private static readonly int s_kills = s_isLong ? 300 : 30;

    [Fact]
    public async Task Kills_at_any_moment_lose_nothing_that_was_acknowledged_and_show_nothing_they_take_back()
    {
        var seed = Environment.GetEnvironmentVariable("TEST_SEED") is { } given
            ? int.Parse(given, CultureInfo.InvariantCulture) : Environment.ProcessId;
        output.WriteLine($"TEST_SEED={seed} repeats the moments of the kills");
        var random = new Random(seed);
        await using var deployment = new Deployment("--Logging:LogLevel:OrleansEvents", "Warning");
        using var load = new Load(deployment, random, s_isLong ? TimeSpan.FromMinutes(40) : TimeSpan.FromMinutes(5));

        await deployment.StartAsync();
        await load.BeginAsync();
        for (var kill = 1; kill <= s_kills; kill++)
        {
            await load.RunsAsync(answers: 1);
            await Task.Delay(random.Next(50, 650), TestContext.Current.CancellationToken);
            await deployment.KillAsync();
            if (kill % StartsPerKillWhileStarting == 0)
                await deployment.KillWhileStartingAsync(TimeSpan.FromMilliseconds(random.Next(30, 600)));
            await deployment.StartAsync();
        }
        await load.EndAsync();
        output.WriteLine(load.Summary);
        var starts = deployment.Starts.Order().ToArray();
        output.WriteLine($"Start to first answer: median {starts[starts.Length / 2].TotalMilliseconds:F0} ms, "
            + $"slowest {starts[^1].TotalMilliseconds:F0} ms of {starts.Length}");

        await CheckAsync(load);
        await deployment.KillAsync();
        await deployment.StartAsync();
        await CheckAsync(load);
    }

    private static async Task CheckAsync(Load load)
    {
        var broken = await load.CheckAsync();
        Assert.True(broken.Count == 0, $"{broken.Count} promises broken:\n{string.Join('\n', broken.Take(20))}");
    }
}
