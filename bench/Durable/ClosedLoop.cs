using System.Diagnostics;

namespace OrleansEvents.Durable;

/// <summary>Publishers that each wait for one event to be durable before they give the next.</summary>
internal sealed class ClosedLoop(int publishers, TimeSpan time)
{
    private static readonly TimeSpan Warmup = TimeSpan.FromSeconds(1);

    public double Run(Action<byte[]> append, byte[] oneEvent)
    {
        var counts = new long[publishers];
        var measuring = false;
        var over = false;
        var threads = Enumerable.Range(0, publishers).Select(i => new Thread(() =>
        {
            while (!Volatile.Read(ref over))
            {
                append(oneEvent);
                if (Volatile.Read(ref measuring))
                    counts[i]++;
            }
        }, 256 * 1024)).ToList();
        threads.ForEach(t => t.Start());

        using var never = new ManualResetEventSlim();
        never.Wait(Warmup);
        Volatile.Write(ref measuring, true);
        var watch = Stopwatch.StartNew();
        never.Wait(time);
        Volatile.Write(ref measuring, false);
        var seconds = watch.Elapsed.TotalSeconds;
        Volatile.Write(ref over, true);
        threads.ForEach(t => t.Join());
        return counts.Sum() / seconds;
    }
}
