using Xunit;

namespace OrleansEvents.Tests.Crash;

/// <summary>Kills of the real process at moments drawn by chance, under load, all on one data folder.</summary>
[Collection("Processes")]
public sealed class CrashSeriesTests(ITestOutputHelper output)
{
    private const int StartsPerKillWhileStarting = 6;
    private static readonly int s_kills = TestRun.IsLong ? 300 : 12;

    [Fact]
    public async Task Kills_at_any_moment_lose_nothing_that_was_acknowledged_and_show_nothing_they_take_back()
    {
        var random = TestRun.NewRandom(output);
        await using var deployment = new Deployment("--Logging:LogLevel:OrleansEvents", "Warning");
        var limit = TimeSpan.FromMinutes(TestRun.IsLong ? 40 : 5);
        using var load = new Load(deployment, random, limit);

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
        output.WriteLine(deployment.StartSummary);
        await load.CheckAsync();
        await deployment.KillAsync();
        await deployment.StartAsync();
        await load.CheckAsync();
    }
}
