using System.Globalization;
using OrleansEvents.Tests.Crash;
using OrleansEvents.Tests.Storage;
using Xunit;

namespace OrleansEvents.Tests.Soak;

/// <summary>Half an hour of all that makes a server hold bytes; <c>TEST_SOAK_SECONDS</c> is another length.</summary>
[Collection("Processes")]
public sealed class MemorySoakTests(ITestOutputHelper output)
{
    private const int Samples = 300;
    private static readonly string? s_seconds = Environment.GetEnvironmentVariable("TEST_SOAK_SECONDS");

    [Fact]
    public async Task Memory_is_a_flat_line()
    {
        Assert.SkipUnless(TestRun.IsLong || s_seconds is not null, "Takes half an hour: TEST_LONG=1.");
        var length = TimeSpan.FromSeconds(double.Parse(s_seconds ?? "1800", CultureInfo.InvariantCulture));
        var random = TestRun.NewRandom(output);
        using var folder = new DataFolder();
        // A small heap: in a large one the collector lets garbage lie for as long as it likes.
        await using var server = await ServerProcess.StartWithinAsync(192 << 20, "--data", folder.Path,
            "--Limits:MemoryBytes", "33554432", "--Limits:RequestMemoryBytes", "33554432", "--Limits:UnsentBytes",
            "16777216",
            "--Sse:WriteTimeout", "3", "--Streams:IdleAfter", "20", "--Logging:LogLevel:OrleansEvents", "Error");
        var resident = new List<double>();
        await using (var pressure = new Pressure(server.Address, random, TimeSpan.FromMilliseconds(20), stalled: 30,
            silent: 4))
        {
            while (resident.Count < Samples)
            {
                await Task.Delay(length / Samples, TestContext.Current.CancellationToken);
                if (pressure.Fault is { } fault) await fault;
                Assert.False(server.HasExited, string.Join('\n', server.Errors.Take(5)));
                resident.Add(server.ResidentBytes / 1e6);
            }
            output.WriteLine($"{pressure.PublishedBytes / 1e6:F0} MB published, {pressure.ReadBytes / 1e6:F0} MB read");
        }
        for (var tenth = 0; tenth < 10; tenth++)
        {
            var part = resident.Slice(tenth * Samples / 10, Samples / 10);
            output.WriteLine($"{tenth + 1}/10: {part.Min():F0} to {part.Max():F0} MB, median {Median(part):F0}");
        }
        var (middle, last) = (Median(resident.Slice(Samples / 3, Samples / 3)), Median(resident[^(Samples / 3)..]));
        Assert.InRange(last, 1, middle * 1.05);
        Assert.Equal(0, await server.StopAsync());
    }

    private static double Median(List<double> values) => values.Order().ElementAt(values.Count / 2);
}
