using System.Diagnostics;
using System.Text;
using OrleansEvents.Streams;

namespace OrleansEvents.Cluster;

/// <summary>Publishers of one stream that stay a bounded number of events ahead of the other node's reader, so that the
/// way between the two is what bounds them and nothing is left out; or, without a bound, do not.</summary>
internal sealed class TapWindow(IEventStreams streams, string stream, long window)
{
    private volatile bool over;
    private TaskCompletionSource moved = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long given;
    private long seen = long.MaxValue;
    private long published;

    /// <summary>Publishes until the other node has read for so long; its answer, with what this node did
    /// meanwhile.</summary>
    public async Task<string> Run(OtherNode other, int publishers, int warmup, int seconds)
    {
        var loops = Enumerable.Range(0, publishers).Select(_ => Task.Run(Publish)).ToList();
        // Unmeasured, so that nothing is compiled while it is measured.
        await Answer(other, warmup);
        var (before, cpu, watch) = (Volatile.Read(ref published), OwnerWork.Cpu, Stopwatch.StartNew());
        var answer = await Answer(other, seconds);
        var (events, elapsed) = (Volatile.Read(ref published) - before, watch.Elapsed.TotalSeconds);
        cpu = OwnerWork.Cpu - cpu;
        over = true;
        moved.TrySetResult();
        await Task.WhenAll(loops);
        return ClusterHost.Json($"\"published_per_s\":{events / elapsed:F0},\"owner_cpu_us_each\":{cpu / events:F2},")
            + answer[1..];
    }

    private async Task<string> Answer(OtherNode other, int seconds)
    {
        await other.Begin($"read {seconds}");
        return await other.Answer(Seen);
    }

    private void Seen(long seq)
    {
        Volatile.Write(ref seen, seq);
        Interlocked.Exchange(ref moved, new(TaskCreationOptions.RunContinuationsAsynchronously)).TrySetResult();
    }

    private async Task Publish()
    {
        var type = "bench"u8.ToArray();
        var batch = new NewEvent[OwnerWork.Batch];
        Array.Fill(batch, new NewEvent(type, 1,
            Encoding.ASCII.GetBytes($"\"{new string('x', OwnerWork.DataBytes - 2)}\"")));
        while (!over)
        {
            var next = Volatile.Read(ref moved).Task;
            if (window > 0 && Volatile.Read(ref given) - Volatile.Read(ref seen) > window)
            {
                await next;
                continue;
            }
            // One of them says when it was made.
            batch[0] = new NewEvent(type, 1,
                Encoding.ASCII.GetBytes(TapReading.Stamped(Stopwatch.GetTimestamp(), OwnerWork.DataBytes)));
            var outcome = await streams.Publish(stream, batch, null, CancellationToken.None);
            if (outcome.Refusal is { } refusal) throw new InvalidOperationException($"refused: {refusal}");
            Volatile.Write(ref given, outcome.Value.Last.Seq);
            Interlocked.Add(ref published, batch.Length);
        }
    }
}
