using OrleansEvents.Grains.Taps;
using OrleansEvents.Streams;

namespace OrleansEvents.Tests.Cluster;

/// <summary>What a tap handed on.</summary>
internal sealed class Collected : ITapSink
{
    private readonly Lock _lock = new();
    private readonly List<int> _numbers = [];
    private readonly List<Gap> _gaps = [];

    public int[] Numbers
    {
        get
        {
            lock (_lock) return [.. _numbers];
        }
    }

    public Gap[] Gaps
    {
        get
        {
            lock (_lock) return [.. _gaps];
        }
    }

    public void Gap(Gap gap)
    {
        lock (_lock) _gaps.Add(gap);
    }

    public void Events(EventRun run)
    {
        lock (_lock) _numbers.AddRange(Given.Numbers(run));
    }

    /// <summary>Waits until an event has come.</summary>
    public Task Has(int number) => Given.Until(() => Task.FromResult(Numbers.Contains(number)));
}
