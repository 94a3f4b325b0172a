using OrleansEvents.Tests.Cli;
using Xunit;

namespace OrleansEvents.Tests.Crash;

/// <summary>Ten minutes of load, with stops and kills between: memory must not grow with time or restarts.</summary>
[Collection("Processes")]
public sealed class SoakTests(ITestOutputHelper output)
{
    private const int Lives = 5;
    private const long MostGrowth = 48L << 20;
    private const long MostResident = 512L << 20;
    private static readonly TimeSpan s_warm = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan s_life = TimeSpan.FromSeconds(120);

    [Fact]
    public async Task Memory_stays_flat_under_ten_minutes_of_load_with_restarts()
    {
        Assert.SkipUnless(TestRun.IsLong, "Takes ten minutes: TEST_LONG=1.");
        var random = TestRun.NewRandom(output);
        await using var deployment = new Deployment("--Logging:LogLevel:OrleansEvents", "Warning");
        using var load = new Load(deployment, random, TimeSpan.FromMinutes(30));
        await deployment.StartAsync();
        await load.BeginAsync();
        for (var life = 1; life <= Lives; life++)
        {
            await Task.Delay(s_warm, TestContext.Current.CancellationToken);
            var warm = deployment.Server.ResidentBytes;
            await Task.Delay(s_life - s_warm, TestContext.Current.CancellationToken);
            await load.RunsAsync(answers: 1);
            var late = deployment.Server.ResidentBytes;
            output.WriteLine($"Life {life}: {warm >> 20} MB warm, {late >> 20} MB at its end; {load.Answers} answers");
            Assert.InRange(late, 0, Math.Min(warm + MostGrowth, MostResident));
            if (life % 2 == 0) Assert.Equal(0, await deployment.StopAsync());
            else await deployment.KillAsync();
            await deployment.StartAsync();
        }
        await load.EndAsync();
        output.WriteLine(load.Summary);
        await load.CheckAsync();
    }
}
