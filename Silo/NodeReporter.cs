using OrleansEvents.Api;
using OrleansEvents.Api.Options;
using OrleansEvents.Api.Sse;
using OrleansEvents.Grains;
using OrleansEvents.Grains.Interfaces;
using OrleansEvents.Grains.Nodes;
using OrleansEvents.Streams;

namespace OrleansEvents.Silo;

/// <summary>Says again and again how this node stands, for operators.</summary>
internal sealed class NodeReporter(NodeName name, ClusterStreams streams, OwnedStreams owned, ClusterCounts counts,
    ConnectionCounts connections, IGrainFactory grains, Api.Options.ClusterOptions options, TimeProvider time)
    : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var (asked, since) = (grains.CreateObjectReference<IAskedNode>(owned), time.GetUtcNow());
        using var timer = new PeriodicTimer(options.ReportEvery, time);
        try
        {
            do
            {
                // One that is lost is made good by the next.
                await streams.Report(Report(since.ToUnixTimeMilliseconds()), asked)
                    .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
            while (await timer.WaitForNextTickAsync(stoppingToken));
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The node stops.
        }
    }

    private NodeReport Report(long sinceMs) => new(name.Text, name.IsEdge, ApiHost.Version, sinceMs, owned.Count,
        (int)counts[ClusterCount.SubscribersLoaded], streams.Followed, connections.TotalClients, options.ReportEvery);
}
