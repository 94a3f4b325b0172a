using System.Globalization;
using System.Net;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Orleans.Configuration;
using Orleans.Runtime;
using OrleansEvents.Api;
using OrleansEvents.Api.Health;
using OrleansEvents.Api.Options;
using OrleansEvents.Grains;
using OrleansEvents.Grains.Bridge;
using OrleansEvents.Grains.Nodes;
using OrleansEvents.Silo.Database;
using OrleansEvents.Silo.Membership;
using OrleansEvents.Silo.Transport;
using OrleansEvents.Streams;
using Identity = Orleans.Configuration.ClusterOptions;
using ClusterOptions = OrleansEvents.Api.Options.ClusterOptions;

namespace OrleansEvents.Silo;

/// <summary>Registers a silo: it owns streams.</summary>
internal static class NodeParts
{
    public const string Invariant = "Npgsql";

    public static void AddTo(WebApplicationBuilder builder, ServerOptions options, string connection)
    {
        var (services, cluster, address) = (builder.Services, options.Cluster, NodeAddress.Of(options.Cluster));
        // Before the silo: it must be at work while that joins.
        services.AddSingleton(provider => new Members(connection, cluster.Id));
        services.AddSingleton(address);
        services.AddHostedService<ColdStart>();
        builder.UseOrleans(silo =>
        {
            NodeTransport.Use(silo.Services);
            silo.UseAdoNetClustering(adoNet =>
                (adoNet.Invariant, adoNet.ConnectionString) = (Invariant, connection));
            silo.UseAdoNetReminderService(adoNet =>
                (adoNet.Invariant, adoNet.ConnectionString) = (Invariant, connection));
            silo.Configure<ReminderOptions>(reminders => reminders.MinimumReminderPeriod = cluster.RemindEvery);
            silo.AddAdoNetGrainStorageAsDefault(adoNet =>
                (adoNet.Invariant, adoNet.ConnectionString) = (Invariant, connection));
            silo.Configure<Identity>(identity => Name(identity, cluster.Id));
            silo.Configure<SiloOptions>(each => each.SiloName = NameOf(address));
            silo.Configure<EndpointOptions>(endpoints => Listen(endpoints, address));
            silo.Configure<ClusterMembershipOptions>(membership => Tune(membership, cluster));
            silo.Configure<SiloMessagingOptions>(calls => (calls.ResponseTimeout, calls.SystemResponseTimeout) =
                (cluster.CallTimeout, cluster.CallTimeout));
            // A host that is gone answers nothing: an attempt must not take longer than its detection.
            silo.Configure<ConnectionOptions>(each => each.OpenConnectionTimeout = cluster.ProbeEvery * 2);
            silo.Configure<GrainCollectionOptions>(grains => grains.CollectionAge = cluster.CollectAfter);
            Locate(silo);
            if (cluster.Traces) silo.AddActivityPropagation();
            if (cluster.StreamProvider != ClusterOptions.None) silo.AddEventStreams(BridgeOf(options));
        });
        services.AddHostedService<MembershipLog>();
        services.AddHostedService<HandOverAtStop>();
        services.AddHostedService<WarmUpAtStart>();
        services.Replace(ServiceDescriptor.Singleton<IFatalErrorHandler, DeclaredDead>());
        services.AddStreamGrains(new StreamGrainOptions
        {
            Defaults = EngineDefaults.Of(options.Streams),
            Limits = EngineDefaults.LimitsOf(options),
            Subscribers = new()
            {
                Defaults = EngineDefaults.Of(options.Subscribers),
                Limits = EngineDefaults.LimitsOf(options.Subscribers),
                PerStream = options.Limits.SubscribersPerStream,
                RemindEvery = cluster.RemindEvery,
            },
            MemoryBytes = options.Limits.MemoryBytes,
            AbsentAfter = cluster.CollectAfter,
        });
        services.AddSingleton(provider =>
            new NodeName(ClusterStreams.NameOf(provider.GetRequiredService<ILocalSiloDetails>().SiloAddress), false));
        services.AddSingleton(provider =>
        {
            var silos = provider.GetRequiredService<ISiloStatusOracle>();
            return new AliveNodes(() => silos.GetApproximateSiloStatuses(onlyActive: true).Count);
        });
        services.AddSingleton(provider =>
        {
            var silos = provider.GetRequiredService<ISiloStatusOracle>();
            return new ReadinessCheck("cluster", () => silos.CurrentStatus == SiloStatus.Active
                ? null
                : $"this node is {silos.CurrentStatus}");
        });
    }

    public static void Name(Identity identity, string cluster) =>
        (identity.ClusterId, identity.ServiceId) = (cluster, cluster);

    // Orleans' own directory forgets what the silo that leaves kept of others' grains, and these are closed and opened
    // again; this one hands such entries over, or asks those who live for them. It holds back for half a minute what a
    // dead silo owned, lest it still works: storage fences that off.
    private static void Locate(ISiloBuilder silo)
    {
#pragma warning disable ORLEANSEXP003 // Where a stream is found twice after all, its epoch decides.
        silo.AddDistributedGrainDirectory();
#pragma warning restore ORLEANSEXP003
        silo.Configure<GrainDirectoryOptions>(directory => directory.RangeLeaseDuration = TimeSpan.Zero);
    }

    private static BridgeOptions BridgeOf(ServerOptions options) => new()
    {
        Provider = options.Cluster.StreamProvider,
        Limits = new PublishLimits(options.Limits.RequestEvents, options.Limits.EventBytes),
        RequestBytes = options.Limits.RequestBytes,
    };

    private static string NameOf(NodeAddress address) =>
        string.Create(CultureInfo.InvariantCulture, $"{Environment.MachineName}-{address.SiloPort}");

    private static void Listen(EndpointOptions endpoints, NodeAddress address)
    {
        (endpoints.AdvertisedIPAddress, endpoints.SiloPort, endpoints.GatewayPort) =
            (address.Advertised, address.SiloPort, address.GatewayPort);
        endpoints.SiloListeningEndpoint = new IPEndPoint(address.Listening, address.SiloPort);
        endpoints.GatewayListeningEndpoint = new IPEndPoint(address.Listening, address.GatewayPort);
    }

    // Detection is the whole time of a fail-over: until a dead node is declared dead, calls to its streams wait or are
    // refused. Orleans' own values take 10 to 14 s; these, 1 to 2 s for one that was killed and 4 s for a frozen one,
    // and a machine under full load kept within them.
    private static void Tune(ClusterMembershipOptions membership, ClusterOptions cluster)
    {
        membership.ProbeTimeout = cluster.ProbeEvery;
        membership.NumMissedProbesLimit = cluster.MissedProbes;
        membership.NumVotesForDeathDeclaration = cluster.Votes;
        // A third that reaches both would keep two nodes in the cluster that do not reach each other: whoever asked the
        // one for the other's streams would be refused for as long as that lasts.
        membership.EnableIndirectProbes = false;
        membership.TableRefreshTimeout = cluster.RefreshEvery;
        membership.IAmAliveTablePublishTimeout = cluster.AliveEvery;
        membership.NumMissedTableIAmAliveLimit = cluster.MissedAlive;
        membership.MaxJoinAttemptTime = cluster.JoinTimeout;
        membership.DefunctSiloExpiration = cluster.ForgetAfter;
        // A busy machine has the time of a probe extended: twice is enough, else a frozen node is missed late. Bound by
        // name, because not every release of Orleans has it.
        new ConfigurationBuilder().AddInMemoryCollection(
            [new("MaxProbeTimeout", (cluster.ProbeEvery * 2).ToString("c", CultureInfo.InvariantCulture))])
            .Build().Bind(membership);
    }
}
