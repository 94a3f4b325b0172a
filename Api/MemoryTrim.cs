using System.Diagnostics;
using OrleansEvents.Api.Metrics;
using OrleansEvents.Api.Options;
using OrleansEvents.Api.Sse;

namespace OrleansEvents.Api;

/// <summary>
/// Gives memory back when the process rests. The collector itself looks only when much is allocated again: what a wave
/// of new connections has left lies there until then, several times what the connections need.
/// </summary>
internal sealed partial class MemoryTrim(OperationsOptions options, ServerMeter meter, ConnectionCounts connections,
    TimeProvider time, ILogger<MemoryTrim> logger) : BackgroundService
{
    /// <summary>Below this it is not worth a pause.</summary>
    private const long WorthBytes = 32 << 20;

    /// <summary>Most of one processor's time at rest: heartbeats go on, and idle readers are pinged.</summary>
    private const double RestingShare = 0.25;

    /// <summary>Looks in the time of rest that is asked for.</summary>
    private const int Looks = 2;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (options.TrimAfter == TimeSpan.Zero) return;
        // A timer's least is a millisecond.
        var every = TimeSpan.FromMilliseconds(Math.Max(1, options.TrimAfter.TotalMilliseconds / Looks));
        using var timer = new PeriodicTimer(every, time);
        var (allocatedThen, usedThen, doneThen, sinceThen, rested) = (0L, TimeSpan.Zero, 0L, time.GetTimestamp(), 0);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            var (used, done, now) = (Environment.CpuUsage.TotalTime, Done, time.GetTimestamp());
            var isResting = done == doneThen
                && used - usedThen <= time.GetElapsedTime(sinceThen, now) * RestingShare;
            (usedThen, doneThen, sinceThen, rested) = (used, done, now, isResting ? rested + 1 : 0);
            if (rested < Looks || GC.GetTotalAllocatedBytes() - allocatedThen < WorthBytes) continue;
            if (GC.GetTotalMemory(forceFullCollection: false) <= options.TrimHeap) Trim();
            allocatedThen = GC.GetTotalAllocatedBytes();
        }
    }

    /// <summary>What nobody may be kept waiting for: events delivered, readers that came and left.</summary>
    private long Done => meter.DeliveredEvents.Sum(0) + connections.Opened.Total + connections.Ended.Total;

    private void Trim()
    {
        var before = GC.GetGCMemoryInfo().TotalCommittedBytes;
        var began = Stopwatch.GetTimestamp();
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        LogTrimmed(logger, before, GC.GetGCMemoryInfo().TotalCommittedBytes,
            Stopwatch.GetElapsedTime(began).TotalMilliseconds);
    }

    [LoggerMessage(EventIds.Trimmed, LogLevel.Debug,
        "Memory given back: {Before} bytes before, {After} after, {Ms} ms")]
    private static partial void LogTrimmed(ILogger logger, long before, long after, double ms);
}
