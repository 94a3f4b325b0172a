using System.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using OrleansEvents.Grains.Interfaces;
using OrleansEvents.Storage.Memory;
using OrleansEvents.Streams;

namespace OrleansEvents.Cluster;

/// <summary>Many streams of one node with one small event each: how fast they are made, or opened after a crash, and
/// what they keep when they are idle. The process ends as by a crash.</summary>
internal static class GrainsWork
{
    private const int Callers = 256;

    public static async IAsyncEnumerable<string> Run(string connection, string how, int count)
    {
        // One that was killed is not waited for: the streams belong to the schema and not to the cluster's name.
        string[] options = ["--cluster-id", how, "--Limits:Streams", "1000000"];
        // Without storage: what remains is the grain's own.
        Action<IServiceCollection>? configure = how is "alone" or "empty" ? services => services.Replace(
            ServiceDescriptor.Singleton<IEventLog>(new MemoryEventLog())) : null;
        var node = await NodeHere.Start(connection, configure, options);
        yield return await Measure(node, how, count);
        await Console.Out.FlushAsync();
        Process.GetCurrentProcess().Kill();
    }

    private static async Task<string> Measure(NodeHere node, string how, int count)
    {
        var grains = node.Services.GetRequiredService<IGrainFactory>();
        var memory = node.Services.GetRequiredService<FeedMemory>();
        await Open(grains, how, "warm", 1000);
        var (heap, ring) = (Heap(), memory.Used);
        using var process = Process.GetCurrentProcess();
        var (watch, before) = (Stopwatch.StartNew(), process.TotalProcessorTime);
        await Open(grains, how, "idle", count);
        process.Refresh();
        var (seconds, work) = (watch.Elapsed.TotalSeconds, process.TotalProcessorTime - before);
        var each = (Heap() - heap - (memory.Used - ring)) / (double)count;
        return ClusterHost.Json($"{{\"how\":\"{how}\",\"streams\":{count},\"opened_per_s\":{count / seconds:F0},")
            + ClusterHost.Json($"\"cpu_us_each\":{work.TotalMicroseconds / count:F0},")
            + ClusterHost.Json($"\"bytes_each\":{each:F0},\"ring_bytes_each\":{(memory.Used - ring) / count}}}");
    }

    private static Task Open(IGrainFactory grains, string how, string prefix, int count)
    {
        var next = -1;
        return Task.WhenAll(Enumerable.Range(0, Callers).Select(_ => Task.Run(Some)));

        async Task Some()
        {
            while (Interlocked.Increment(ref next) is var i && i < count)
            {
                if (how == "empty")
                {
                    await grains.GetGrain<IEmptyGrain>($"{prefix}.{i}").Touch();
                    continue;
                }
                var stream = grains.GetGrain<IStreamGrain>($"{prefix}.{i}");
                var refusal = how == "open"
                    ? (await stream.Describe()).Refusal
                    : (await stream.Publish(First, each: false)).Refusal;
                if (refusal is { } refused) throw new InvalidOperationException($"refused: {refused}");
            }
        }
    }

    private static PackedEvents First { get; } =
        PackedEvents.Of([new NewEvent("first"u8.ToArray(), 1, "1"u8.ToArray())]);

    private static long Heap()
    {
        GC.Collect(2, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        GC.WaitForPendingFinalizers();
        return GC.GetTotalMemory(forceFullCollection: true);
    }
}
