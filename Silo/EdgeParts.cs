using System.Globalization;
using Orleans.Configuration;
using OrleansEvents.Api.Health;
using OrleansEvents.Silo.Transport;
using Identity = Orleans.Configuration.ClusterOptions;
using ClusterOptions = OrleansEvents.Api.Options.ClusterOptions;

namespace OrleansEvents.Silo;

/// <summary>Registers an edge: a client of the cluster, which owns nothing and serves readers.</summary>
internal static class EdgeParts
{
    private static readonly TimeSpan s_retryEvery = TimeSpan.FromSeconds(1);

    public static void AddTo(WebApplicationBuilder builder, ClusterOptions cluster, string connection)
    {
        var nodes = 0;
        builder.UseOrleansClient(client =>
        {
            NodeTransport.Use(client.Services);
            client.UseAdoNetClustering(adoNet =>
                (adoNet.Invariant, adoNet.ConnectionString) = (NodeParts.Invariant, connection));
            client.Configure<Identity>(identity => NodeParts.Name(identity, cluster.Id));
            client.Configure<ClientMessagingOptions>(calls => calls.ResponseTimeout = cluster.CallTimeout);
            client.Configure<GatewayOptions>(gateways => gateways.GatewayListRefreshPeriod = cluster.RefreshEvery);
            client.Configure<ConnectionOptions>(each => each.OpenConnectionTimeout = cluster.ProbeEvery * 2);
            client.UseConnectionRetryFilter(Retry(cluster.JoinTimeout));
            client.AddGatewayCountChangedHandler((_, change) => Volatile.Write(ref nodes,
                change.NumberOfConnectedGateways));
            if (cluster.Traces) client.AddActivityPropagation();
        });
        builder.Services.AddSingleton(new NodeName(string.Create(CultureInfo.InvariantCulture,
            $"{Environment.MachineName}-{Environment.ProcessId}"), true));
        builder.Services.AddSingleton(new AliveNodes(() => Volatile.Read(ref nodes)));
        builder.Services.AddSingleton(new ReadinessCheck("cluster",
            () => Volatile.Read(ref nodes) > 0 ? null : "no node takes connections"));
    }

    private static Func<Exception, CancellationToken, Task<bool>> Retry(TimeSpan limit)
    {
        var begun = TimeProvider.System.GetTimestamp();
        return async (_, cancel) =>
        {
            await Task.Delay(s_retryEvery, TimeProvider.System, cancel);
            return TimeProvider.System.GetElapsedTime(begun) < limit;
        };
    }
}
