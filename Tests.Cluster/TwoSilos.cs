using Microsoft.Extensions.DependencyInjection;
using Orleans.Configuration;
using Orleans.Core.Internal;
using Orleans.Providers;
using Orleans.Runtime;
using Orleans.Serialization;
using Orleans.Storage;
using Orleans.Runtime.Placement;
using Orleans.TestingHost;
using OrleansEvents.Grains;
using OrleansEvents.Grains.Bridge;
using OrleansEvents.Grains.Interfaces;
using OrleansEvents.Grains.Nodes;
using OrleansEvents.Grains.Subscribers;
using OrleansEvents.Storage.Memory;
using OrleansEvents.Streams;
using OrleansEvents.Tests.Cluster;
using Xunit;

[assembly: AssemblyFixture(typeof(TwoSilos))]

namespace OrleansEvents.Tests.Cluster;

/// <summary>A cluster of two silos in this process over one log. One is shared by all tests that do not harm it;
/// every test has its own streams.</summary>
public sealed class TwoSilos : IAsyncLifetime
{
    public static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    private readonly IEventLog _log;
    private readonly GrainStates _states = new();
    private InProcessTestCluster _cluster = null!;
    private int _streams;

    public TwoSilos()
    {
        var memory = new MemoryEventLog();
        Rows = memory;
        (_log, Storage) = FaultyLog.Over(memory);
    }

    /// <summary>Whether a silo that dies is missed within two seconds: too tight beside others' tests.</summary>
    public bool QuickDetection { get; init; }

    public FaultyLog Storage { get; }

    public IEventLog Log => _log;

    public ISubscriberLog Rows { get; }

    /// <summary>What subscribers have and may here: everything within seconds.</summary>
    public SubscriberGrainOptions Subscribers { get; init; } = new()
    {
        SessionLease = TimeSpan.FromSeconds(3),
        ReportEvery = TimeSpan.FromMilliseconds(300),
        ReportLease = TimeSpan.FromSeconds(3),
        Checkpoint = TimeSpan.FromMilliseconds(200),
        Defaults = SubscriberPolicy.Default with { Backoff = [TimeSpan.FromMilliseconds(50)] },
    };

    /// <summary>How grains publish and follow.</summary>
    public BridgeOptions Bridge { get; init; } = new()
    {
        PassEvery = TimeSpan.FromSeconds(1),
        CheckEvery = TimeSpan.FromSeconds(1),
        DeliverFor = TimeSpan.FromSeconds(2),
    };

    internal CallFaults Calls { get; } = new();

    public async ValueTask InitializeAsync()
    {
        var builder = new InProcessTestClusterBuilder(2);
        builder.Options.ConfigureFileLogging = false;
#pragma warning disable ORLEANSEXP003 // As nodes do.
        builder.Options.UseDistributedGrainDirectory = true;
#pragma warning restore ORLEANSEXP003
        builder.ConfigureSilo((_, silo) =>
        {
            silo.Services.AddSingleton(_log);
            silo.Services.AddSingleton(Rows);
            silo.UseInMemoryReminderService();
            silo.Services.AddKeyedSingleton(ProviderConstants.DEFAULT_STORAGE_PROVIDER_NAME,
                (services, _) => _states.For(services.GetRequiredService<Serializer>()));
            silo.Services.AddSingleton(services => services.GetRequiredKeyedService<IGrainStorage>(
                ProviderConstants.DEFAULT_STORAGE_PROVIDER_NAME));
            silo.AddEventStreams(Bridge);
            silo.Services.AddSingleton<IOutgoingGrainCallFilter>(Calls);
            silo.Configure<GrainDirectoryOptions>(directory => directory.RangeLeaseDuration = TimeSpan.Zero);
            if (QuickDetection)
                silo.Configure<ClusterMembershipOptions>(membership =>
                {
                    membership.ProbeTimeout = TimeSpan.FromSeconds(1);
                    membership.NumMissedProbesLimit = 2;
                    membership.NumVotesForDeathDeclaration = 1;
                });
            silo.Services.AddStreamGrains(new StreamGrainOptions
            {
                TapLease = TimeSpan.FromSeconds(3),
                Taps = 3,
                Limits = new StreamLimits(CommitLimit: Limit),
                Subscribers = Subscribers,
            });
            silo.Services.AddClusterStreams(new NodeOptions
            {
                LetGoAfter = TimeSpan.FromSeconds(1),
                ReconcileEvery = TimeSpan.FromSeconds(1),
                Placeholders = 100,
                PatternStreams = 5,
            });
        });
        builder.ConfigureClient(client => client.AddEventStreams(Bridge));
        _cluster = builder.Build();
        await _cluster.DeployAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _cluster.StopAllSilosAsync();
        await _cluster.DisposeAsync();
    }

    /// <summary>The way into the cluster through one of its silos.</summary>
    public IGrainFactory Through(int silo) =>
        _cluster.GetSiloServiceProvider(_cluster.Silos[silo].SiloAddress).GetRequiredService<IGrainFactory>();

    /// <summary>A client of the cluster, which is no node.</summary>
    public IClusterClient Client => _cluster.Client;

    public SiloAddress AddressOf(int silo) => _cluster.Silos[silo].SiloAddress;

    /// <summary>One of a silo's services.</summary>
    public T Service<T>(int silo) where T : notnull =>
        _cluster.GetSiloServiceProvider(_cluster.Silos[silo].SiloAddress).GetRequiredService<T>();

    /// <summary>The engine of a node.</summary>
    public ClusterStreams Node(int silo) => Service<ClusterStreams>(silo);

    /// <summary>The name of a subscriber that is not there yet, whose grain lives on that silo.</summary>
    public async Task<string> SubscriberOwnedBy(int silo, string stream)
    {
        while (true)
        {
            var name = $"s{Interlocked.Increment(ref _streams)}";
            var grain = Through(silo).GetGrain<ISubscriberGrain>($"{stream}/{name}");
            await grain.Describe();
            if (_cluster.Silos[silo].SiloAddress.Equals(await WhereIs(grain))) return name;
        }
    }

    /// <summary>The name of a stream that is not there yet, whose grain lives on that silo.</summary>
    public async Task<string> StreamOwnedBy(int silo)
    {
        while (true)
        {
            var name = $"stream-{Interlocked.Increment(ref _streams)}";
            // Activates the grain; a stream is not made by looking for it.
            await Through(silo).GetGrain<IStreamGrain>(name).Describe();
            if (_cluster.Silos[silo].SiloAddress.Equals(await OwnerOf(name))) return name;
        }
    }

    /// <summary>Where the stream's grain is; null when it is nowhere. The silos are asked, not the directory and its
    /// cache.</summary>
    public async Task<SiloAddress?> OwnerOf(string stream)
    {
        return await WhereIs(Through(0).GetGrain<IStreamGrain>(stream));
    }

    public async Task<SiloAddress?> WhereIs(IAddressable grain)
    {
        var id = grain.GetGrainId();
        var active = await Through(0).GetGrain<IManagementGrain>(0).GetDetailedGrainStatistics();
        return active.FirstOrDefault(each => each.GrainId == id)?.SiloAddress;
    }

    /// <summary>Ends the grain's activation gracefully; the next call makes another.</summary>
    public async Task DeactivateSubscriber(string stream, string name) => await Through(0)
        .GetGrain<ISubscriberGrain>($"{stream}/{name}").AsReference<IGrainManagementExtension>().DeactivateOnIdle();

    /// <summary>Ends the grain's activation gracefully; the next call makes another.</summary>
    public async Task Deactivate(string stream) =>
        await Through(0).GetGrain<IStreamGrain>(stream).AsReference<IGrainManagementExtension>().DeactivateOnIdle();

    /// <summary>Ends the stream's activation gracefully and has the next made on that silo.</summary>
    public async Task MoveTo(int silo, string stream)
    {
        var target = AddressOf(silo);
        var isThere = target.Equals(await OwnerOf(stream));
        RequestContext.Set(IPlacementDirector.PlacementHintKey, target);
        if (isThere)
        {
            await Deactivate(stream);
            // While it leaves, whoever calls it is sent on to anywhere.
            await Given.Until(async () => await OwnerOf(stream) is null);
        }
        else
        {
            // A call of one that has left goes where it was, as long as the caller remembers that.
            await Through(0).GetGrain<IStreamGrain>(stream).AsReference<IGrainManagementExtension>().MigrateOnIdle();
        }
        await Given.Until(async () =>
        {
            await Through(silo).GetGrain<IStreamGrain>(stream).Describe();
            return target.Equals(await OwnerOf(stream));
        });
        RequestContext.Clear();
    }

    /// <summary>Ends a silo without a word.</summary>
    public Task Kill(int silo)
    {
        Storage.LosesCloses = true;
        return _cluster.KillSiloAsync(_cluster.Silos[silo]);
    }
}
