using System.Diagnostics;
using System.Globalization;
using System.Text;
using OrleansEvents.Durable;
using OrleansEvents.Streams;

namespace OrleansEvents.Cluster;

/// <summary>What two nodes do with streams that this one owns: it makes them before the other joins.</summary>
internal static class OwnerWork
{
    private const int Callers = 256;
    public const int Batch = 256;
    public const int DataBytes = 200;
    private const int PacedRate = 100_000;
    private const int TapPublishers = 8;
    private const int Warmup = 6;

    /// <summary>Events that publishers are ahead of the reader at most: half of the buffer.</summary>
    private const int Ahead = 50_000;

    private static readonly byte[] LargeBuffer = """{"buffer":100000,"bufferBytes":67108864}"""u8.ToArray();

    /// <summary>Publishing in batches, through the owner and through the other node in turns.</summary>
    public static async IAsyncEnumerable<string> Publish(string connection, int seconds, int times)
    {
        await using var node = await NodeHere.Start(connection);
        var names = Names("publish", 1);
        await new Publishing(node.Streams, names, 1, DataBytes, critical: false).Open();
        await using var other = await OtherNode.Start(connection);

        // The rate, and microseconds of both processes for each event, those of its warm-up included.
        async Task<(double Rate, double Cpu)> Measured(Func<Task<double>> publish)
        {
            var (before, watch) = (Cpu + Parse(await other.Do(OtherNode.Cpu)), Stopwatch.StartNew());
            var rate = await publish();
            return (rate, (Cpu + Parse(await other.Do(OtherNode.Cpu)) - before)
                / (rate * watch.Elapsed.TotalSeconds));
        }

        // The first is the compiler's.
        for (var round = -1; round < times; round++)
        {
            var (here, hereCpu) = await Measured(() => Rate(node, names, Callers, Batch, seconds, critical: false));
            var (there, thereCpu) = await Measured(async () =>
                Parse(await other.Do($"publish {Callers} {Batch} {seconds} False publish 1")));
            if (round < 0) continue;
            yield return ClusterHost.Json($"{{\"owner_per_s\":{here:F0},\"other_per_s\":{there:F0},")
                + ClusterHost.Json($"\"cpu_us_each_by_owner\":{hereCpu:F2},\"cpu_us_each_by_other\":{thereCpu:F2}}}");
        }
    }

    /// <summary>Critical events, each caller waits for its one, on the other node.</summary>
    public static async IAsyncEnumerable<string> Durable(string connection, int seconds, int streams)
    {
        await using var node = await NodeHere.Start(connection);
        await new Publishing(node.Streams, Names("durable", streams), 1, DataBytes, critical: true).Open();
        await using var other = await OtherNode.Start(connection);
        // Unmeasured, so that nothing is compiled while it is measured.
        await other.Do($"publish {Callers} 1 {seconds} True durable {streams}");
        var (here, there, watch) = (Cpu, Parse(await other.Do(OtherNode.Cpu)), Stopwatch.StartNew());
        var rate = Parse(await other.Do($"publish {Callers} 1 {seconds} True durable {streams}"));
        var events = rate * watch.Elapsed.TotalSeconds;
        (here, there) = (Cpu - here, Parse(await other.Do(OtherNode.Cpu)) - there);
        yield return ClusterHost.Json($"{{\"streams\":{streams},\"answered_per_s\":{rate:F0},")
            + ClusterHost.Json($"\"owner_cpu_us_each\":{here / events:F1},\"other_cpu_us_each\":{there / events:F1}}}");
    }

    /// <summary>One stream published here and followed there: as fast as it goes, then at an even pace.</summary>
    public static async IAsyncEnumerable<string> Tap(string connection, int seconds)
    {
        await using var node = await NodeHere.Start(connection);
        var names = Names("tap", 1);
        var configured = await node.Streams.Configure(names[0], LargeBuffer, CancellationToken.None);
        if (configured.Refusal is { } refused) throw new InvalidOperationException($"refused: {refused}");
        await using var other = await OtherNode.Start(connection);
        await other.Do($"follow {names[0]}");

        foreach (var (load, ahead) in ((string, int)[])[("saturated", Ahead), ("unthrottled", 0)])
            yield return $"{{\"load\":\"{load}\"," + await new TapWindow(node.Streams, names[0], ahead)
                .Run(other, TapPublishers, Warmup, seconds);

        using var enough = new CancellationTokenSource();
        var pacing = Pace(node.Streams, names[0], enough.Token);
        await Task.Delay(TimeSpan.FromSeconds(3));
        yield return "{\"load\":\"paced\"," + (await other.Do($"read {seconds}"))[1..];
        await enough.CancelAsync();
        await pacing;
    }

    /// <summary>Microseconds of this process until now.</summary>
    public static double Cpu => Environment.CpuUsage.TotalTime.TotalMicroseconds;

    public static string[] Names(string prefix, int count) =>
        [.. Enumerable.Range(0, count).Select(i => string.Create(CultureInfo.InvariantCulture, $"{prefix}.{i}"))];

    /// <summary>Events a second.</summary>
    public static async Task<double> Rate(NodeHere node, string[] names, int callers, int events, int seconds,
        bool critical)
    {
        var publishing = new Publishing(node.Streams, names, events, DataBytes, critical);
        return await new ClosedLoop(callers, TimeSpan.FromSeconds(seconds)).Run(publishing.Publish) * events;
    }

    /// <summary>Publishes what is due every millisecond, each event with the moment in it.</summary>
    private static async Task Pace(IEventStreams streams, string stream, CancellationToken enough)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(1));
        var (begun, sent) = (Stopwatch.GetTimestamp(), 0L);
        var type = "bench"u8.ToArray();
        while (!enough.IsCancellationRequested)
        {
            await timer.WaitForNextTickAsync(CancellationToken.None);
            var due = (int)Math.Min((long)(Stopwatch.GetElapsedTime(begun).TotalSeconds * PacedRate) - sent, 5000);
            if (due == 0) continue;
            sent += due;
            var data = Encoding.ASCII.GetBytes(TapReading.Stamped(Stopwatch.GetTimestamp(), DataBytes));
            var events = new NewEvent[due];
            Array.Fill(events, new NewEvent(type, 1, data));
            _ = streams.Publish(stream, events, null, CancellationToken.None).AsTask();
        }
    }

    private static double Parse(string text) => double.Parse(text, CultureInfo.InvariantCulture);
}
