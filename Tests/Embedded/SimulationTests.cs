using System.Globalization;
using OrleansEvents.Streams;
using Xunit;

namespace OrleansEvents.Tests.Embedded;

/// <summary>Guarantees 1 to 4 and 6 over many simulated histories. <c>TEST_SEED</c> runs one again, <c>TEST_STEPS</c>
/// makes each longer.</summary>
public sealed class SimulationTests(ITestOutputHelper output)
{
    private static readonly int _steps = Number("TEST_STEPS") ?? 1500;

    [Fact]
    public void Through_crashes_and_faults_no_promise_is_broken() => RunAll(Weather.Crashes | Weather.Faults, 12);

    [Fact]
    public void Through_crashes_alone_no_promise_is_broken() => RunAll(Weather.Crashes, 6);

    [Fact]
    public void Without_crashes_and_faults_nobody_is_refused_or_told_of_a_restart()
    {
        foreach (var simulation in RunAll(Weather.Calm, 6))
        {
            Assert.Equal(0, simulation.Refused);
            Assert.DoesNotContain(GapReason.Restart, simulation.Gaps);
        }
    }

    private List<Simulation> RunAll(Weather weather, int histories)
    {
        var first = Number("TEST_SEED");
        var done = new List<Simulation>();
        for (var seed = first ?? 1; seed <= (first ?? histories); seed++)
        {
            output.WriteLine($"TEST_SEED={seed} TEST_STEPS={_steps}");
            var before = SynchronizationContext.Current;
            try
            {
                var simulation = new Simulation(seed, weather);
                simulation.Run(_steps);
                output.WriteLine($"  {simulation.Truth.Count} events, {simulation.Refused} refused, "
                    + $"{simulation.Crashes} crashes, "
                    + $"{simulation.Restarts} restarts, {simulation.Gaps.Count} gaps, "
                    + $"{simulation.Acknowledged} acknowledged, {simulation.Redelivered} redelivered, "
                    + $"{simulation.Parked} parked");
                done.Add(simulation);
            }
            finally
            {
                SynchronizationContext.SetSynchronizationContext(before);
            }
        }
        // They are about something.
        Assert.True(first is not null || done.Exists(each => each is { Redelivered: > 0, Parked: > 0 }));
        return done;
    }

    private static int? Number(string name) =>
        int.TryParse(Environment.GetEnvironmentVariable(name), CultureInfo.InvariantCulture, out var number)
            ? number : null;
}
