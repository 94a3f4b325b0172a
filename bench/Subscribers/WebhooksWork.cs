using System.Diagnostics;
using System.Globalization;

namespace OrleansEvents.Subscribers;

/// <summary>Processor time of a server whose 10,000 subscribers have webhooks, and nothing to push.</summary>
internal static class WebhooksWork
{
    private const int Subscribers = 10_000;

    public static async Task<string> Run(int streams, string folder)
    {
        await using var population = await Population.Start(folder, batch: 1);
        var bare = await Idle();
        await population.Register(streams, Subscribers / streams,
            """{"webhook":{"url":"https://example.com/hook","secret":"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}}""");
        await Task.Delay(TimeSpan.FromSeconds(3));
        var registered = await Idle();
        return string.Create(CultureInfo.InvariantCulture,
            $"{{\"streams\":{streams},\"bare_percent\":{bare:F2},\"webhooks_percent\":{registered:F2}}}");
    }

    private static async Task<double> Idle()
    {
        using var process = Process.GetCurrentProcess();
        var (before, watch) = (process.TotalProcessorTime, Stopwatch.StartNew());
        await Task.Delay(TimeSpan.FromSeconds(5));
        process.Refresh();
        return 100 * (process.TotalProcessorTime - before) / watch.Elapsed;
    }
}
