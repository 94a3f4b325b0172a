using OrleansEvents.Api;
using OrleansEvents.Api.Embedded;
using OrleansEvents.Api.Metrics;
using OrleansEvents.Api.Options;
using OrleansEvents.Grains;
using OrleansEvents.Grains.Nodes;
using OrleansEvents.Streams;

namespace OrleansEvents.Silo;

/// <summary>What a node does beside its silo, from when that has joined until nothing is read or published here any
/// more: it asks storage whether it takes writes, for its readers and its <c>/readyz</c> to know.</summary>
internal sealed class NodeLifetime(IEventLog log, ClusterStreams streams, StoreCircuit circuit, StoreNews news,
    ServerMeter meter, SubscriberTotals totals, FeedMemory memory, Operations operations,
    OwnedStreams owned, ClusterCounts counts, AliveNodes alive,
    Api.Options.ClusterOptions options, TimeProvider time) : BackgroundService
{
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        await streams.DisposeAsync();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        news.Follow();
        meter.Subscribers = () => totals.Now;
        meter.StreamsOpen = () => owned.Count;
        meter.StreamsFollowed = () => streams.Followed;
        meter.WorstTapLag = () => streams.WorstLag;
        meter.NodesAlive = () => alive.Count();
        meter.Cluster = counts;
        meter.BufferBytes = () => memory.Used;
        meter.IsStoreDown = () => circuit.IsOpen;
        _ = streams.Wake();
        using var timer = new PeriodicTimer(options.StoreProbeEvery, time);
        try
        {
            do
            {
                if (!circuit.IsOpen) await Ask(stoppingToken);
            }
            while (await timer.WaitForNextTickAsync(stoppingToken));
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The node stops.
        }
    }

    private async Task Ask(CancellationToken cancel)
    {
        try
        {
            await log.Probe().WaitAsync(operations.Options.Timeout, time, cancel);
        }
        catch (Exception failure) when (failure is LogUnavailableException or TimeoutException)
        {
            circuit.Trip(failure);
        }
    }
}

/// <summary>How many nodes of the cluster there are, as this one sees it.</summary>
internal sealed record AliveNodes(Func<int> Count);
