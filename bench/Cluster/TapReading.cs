using System.Diagnostics;
using System.Globalization;
using OrleansEvents.Streams;

namespace OrleansEvents.Cluster;

/// <summary>Reads a node's copy of a stream as a connection does, and sees that nothing is left out.</summary>
internal sealed class TapReading : IFeedWatcher, IDisposable
{
    /// <summary>Begins a line that says how far the reader is.</summary>
    public const string At = "at ";

    private const int AtEvery = 4096;
    private const string Before = "\"at ";
    private const int Digits = 20;
    private const int MicrosInBucket = 20;

    private readonly Lock turn = new();
    private readonly FeedLease lease;
    private readonly int[] buckets = new int[500_000 / MicrosInBucket];
    private FeedReader reader;
    private long last;
    private long events;
    private long left;
    private long losses;
    private long said;

    private TapReading(FeedLease lease)
    {
        this.lease = lease;
        reader = new FeedReader(last = lease.Feed.Head);
        lease.Feed.Watch(this);
    }

    public static async Task<TapReading> On(NodeHere node, string stream)
    {
        var followed = await node.Streams.Follow(stream);
        return new TapReading(followed.Value ?? throw new InvalidOperationException($"refused: {followed.Refusal}"));
    }

    /// <summary>Data of that many bytes that says when it was made.</summary>
    public static string Stamped(long moment, int bytes) => Before
        + moment.ToString("D" + Digits, CultureInfo.InvariantCulture)
        + new string('x', bytes - Before.Length - Digits - 1) + '"';

    /// <summary>What comes in a time.</summary>
    public async Task<string> During(TimeSpan time)
    {
        long before;
        lock (turn)
        {
            Array.Clear(buckets);
            (before, left, losses) = (events, 0, 0);
        }
        var cpu = OwnerWork.Cpu;
        var watch = Stopwatch.StartNew();
        await Task.Delay(time);
        lock (turn)
        {
            var (rate, each) = ((events - before) / watch.Elapsed.TotalSeconds,
                (OwnerWork.Cpu - cpu) / Math.Max(1, events - before));
            return ClusterHost.Json($"{{\"events_per_s\":{rate:F0},\"other_cpu_us_each\":{each:F2},")
                + ClusterHost.Json($"\"p50_ms\":{Percentile(0.5):F2},")
                + ClusterHost.Json($"\"p99_ms\":{Percentile(0.99):F2},\"p999_ms\":{Percentile(0.999):F2},")
                + ClusterHost.Json($"\"left_out\":{left},\"losses\":{losses}}}");
        }
    }

    public void Advanced(StreamFeed feed)
    {
        lock (turn)
        {
            while (true)
            {
                switch (feed.Read(ref reader, 1 << 20, out var block))
                {
                    case FeedRead.Nothing:
                        Say();
                        return;
                    case FeedRead.Behind:
                        // What it missed is counted when it comes to what is left.
                        losses++;
                        reader.MoveTo(feed.Floor);
                        continue;
                }
                using (block) Take(block);
            }
        }
    }

    public void Dispose()
    {
        lease.Feed.Unwatch(this);
        lease.Dispose();
    }

    private void Take(in FeedBlock block)
    {
        var now = Stopwatch.GetTimestamp();
        for (var i = 0; i < block.Count; i++)
        {
            ref readonly var slot = ref block[i];
            left += slot.Seq - last - 1;
            last = slot.Seq;
            var data = block.Frame(slot).Slice(slot.DataStart, slot.DataLength);
            if (data[1] != (byte)'a') continue;
            var moment = long.Parse(data.Slice(Before.Length, Digits), CultureInfo.InvariantCulture);
            var micros = (long)Stopwatch.GetElapsedTime(moment, now).TotalMicroseconds;
            buckets[Math.Clamp(micros / MicrosInBucket, 0, buckets.Length - 1)]++;
        }
        events += block.Count;
        reader.Pass(block, block.Count);
    }

    /// <summary>Tells the publishers' node, which may wait for it.</summary>
    private void Say()
    {
        if (last - said < AtEvery) return;
        said = last;
        Console.WriteLine(ClusterHost.Json($"{At}{last}"));
    }

    private double Percentile(double share)
    {
        var (sum, wanted) = (0L, buckets.Sum(each => (long)each) * share);
        for (var i = 0; i < buckets.Length; i++)
            if ((sum += buckets[i]) > wanted) return (i + 1) * MicrosInBucket / 1000.0;
        return 0;
    }
}
