using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace OrleansEvents.Subscribers;

/// <summary>Critical publishes, each waited for, to a stream whose subscribers have no connection.</summary>
internal static class PublishingWork
{
    private static readonly TimeSpan Warmup = TimeSpan.FromSeconds(1.5);
    private static readonly TimeSpan Measured = TimeSpan.FromSeconds(2.5);

    public static async Task<string> Run(int subscribers, string folder)
    {
        await using var population = await Population.Start(folder, batch: 1);
        // Nothing is to be trimmed or parked meanwhile: that is another work.
        await population.Engine.Configure(Population.Stream(0),
            Encoding.UTF8.GetBytes("""{"retention":{"count":1000000},"backlog":1000000}"""), default);
        await population.Register(1, subscribers, """{"maxPending":1000000}""");
        await Repeat(population, Warmup);
        var cpu = Process.GetCurrentProcess().TotalProcessorTime;
        var paused = GC.GetTotalPauseDuration();
        var watch = Stopwatch.StartNew();
        var waits = await Repeat(population, Measured);
        var seconds = watch.Elapsed.TotalSeconds;
        var used = (Process.GetCurrentProcess().TotalProcessorTime - cpu).TotalMicroseconds / waits.Count;
        waits.Sort();
        return string.Create(CultureInfo.InvariantCulture,
            $"{{\"subscribers\":{subscribers},\"publishes_per_s\":{waits.Count / seconds:F0},\"cpu_us\":{used:F1},"
            + $"\"gc_pause_us\":{(GC.GetTotalPauseDuration() - paused).TotalMicroseconds / waits.Count:F1},"
            + $"\"p50_us\":{waits[waits.Count / 2]:F0},\"p99_us\":{waits[waits.Count * 99 / 100]:F0}}}");
    }

    private static async Task<List<double>> Repeat(Population population, TimeSpan time)
    {
        var waits = new List<double>();
        for (var begun = Stopwatch.GetTimestamp(); Stopwatch.GetElapsedTime(begun) < time;)
        {
            var before = Stopwatch.GetTimestamp();
            await population.Publish(0);
            waits.Add(Stopwatch.GetElapsedTime(before).TotalMicroseconds);
        }
        return waits;
    }
}
