using System.Diagnostics;

namespace OrleansEvents.Durable;

/// <summary>Publishers that each wait for one event to be durable before they give the next.</summary>
internal sealed class ClosedLoop(int publishers, TimeSpan time)
{
    private static readonly TimeSpan Warmup = TimeSpan.FromSeconds(3);

    private readonly long[] answered = new long[publishers];
    private volatile bool over;

    /// <summary>Events a second.</summary>
    public async Task<double> Run(Func<ValueTask> publish)
    {
        var loops = Enumerable.Range(0, publishers).Select(i => Task.Run(() => Repeat(i, publish))).ToList();
        await Task.Delay(Warmup);
        var (before, watch) = (answered.Sum(), Stopwatch.StartNew());
        await Task.Delay(time);
        var rate = (answered.Sum() - before) / watch.Elapsed.TotalSeconds;
        over = true;
        await Task.WhenAll(loops);
        return rate;
    }

    private async Task Repeat(int publisher, Func<ValueTask> publish)
    {
        while (!over)
        {
            await publish();
            answered[publisher]++;
        }
    }
}
