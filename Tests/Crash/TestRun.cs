using System.Globalization;
using Xunit;

namespace OrleansEvents.Tests.Crash;

/// <summary>How this run of the tests was asked for.</summary>
internal static class TestRun
{
    /// <summary>Soaks too.</summary>
    public static bool IsLong { get; } = Environment.GetEnvironmentVariable("TEST_LONG") == "1";

    /// <summary>Chance that can be repeated: <c>TEST_SEED</c> takes the seed that was printed.</summary>
    public static Random NewRandom(ITestOutputHelper output)
    {
        var seed = Environment.GetEnvironmentVariable("TEST_SEED") is { } given
            ? int.Parse(given, CultureInfo.InvariantCulture) : Environment.ProcessId;
        output.WriteLine($"TEST_SEED={seed} repeats what was drawn by chance");
        return new Random(seed);
    }
}
