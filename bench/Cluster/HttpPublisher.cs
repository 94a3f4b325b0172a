using System.Diagnostics;
using OrleansEvents.Tests.Crash;

namespace OrleansEvents.Cluster;

/// <summary>Publishes critical events to one stream, one after the other, each with a key of its own and again until
/// it is taken, and notes when.</summary>
internal sealed class HttpPublisher
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(5);
    private static readonly TimeSpan BeforeRetry = TimeSpan.FromMilliseconds(20);

    private readonly List<(long Begun, long Taken)> taken = [];
    private volatile bool over;
    private readonly Task running;

    /// <param name="http">By which it publishes.</param>
    /// <param name="stream">The stream.</param>
    /// <param name="where">The node, for the first try and for those that follow.</param>
    public HttpPublisher(HttpClient http, string stream, Func<int, Uri> where) => running = Run(http, stream, where);

    /// <summary>Publishes that were not taken at once.</summary>
    public int Retried { get; private set; }

    /// <summary>Publishes that were not taken by the one retry either.</summary>
    public int Failed { get; private set; }

    /// <summary>Data of the newest event that was taken.</summary>
    public int Last
    {
        get
        {
            lock (taken) return taken.Count;
        }
    }

    /// <summary>From a moment until the first publish was taken that had begun after it.</summary>
    public TimeSpan? AgainAfter(long moment)
    {
        lock (taken)
        {
            var next = taken.FindIndex(each => each.Begun > moment);
            return next < 0 ? null : Stopwatch.GetElapsedTime(moment, taken[next].Taken);
        }
    }

    /// <summary>The longest time between two answers, in a time.</summary>
    public TimeSpan Silence(long from, long to)
    {
        lock (taken)
        {
            var (last, longest) = (from, 0L);
            foreach (var (_, at) in taken)
            {
                if (at < from) continue;
                longest = Math.Max(longest, Math.Min(at, to) - last);
                last = at;
                if (at >= to) break;
            }
            return Stopwatch.GetElapsedTime(0, longest);
        }
    }

    public async Task End()
    {
        over = true;
        await running;
    }

    private async Task Run(HttpClient http, string stream, Func<int, Uri> where)
    {
        await Task.Yield();
        for (var n = 1; !over; n++)
        {
            var body = $$"""{"type":"tick","key":"k{{n}}","critical":true,"data":{{n}}}""";
            var begun = Stopwatch.GetTimestamp();
            for (var tries = 1; ; tries++)
            {
                var answer = await http.TrySendAsync(HttpMethod.Post, where(tries), $"/api/streams/{stream}/events",
                    body);
                if (answer is { IsSuccess: true }) break;
                if (tries == 1) Retried++;
                if (tries == 2) Failed++;
                await Task.Delay(BeforeRetry);
            }
            lock (taken) taken.Add((begun, Stopwatch.GetTimestamp()));
            await Task.Delay(Pause);
        }
    }
}
