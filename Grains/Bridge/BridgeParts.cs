using System.Security.Cryptography;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;
using Orleans.Configuration;
using Orleans.Providers;
using Orleans.Runtime;
using Orleans.Runtime.Providers;
using Orleans.Storage;
using Orleans.Streams;
using Orleans.Streams.Core;
using OrleansEvents.Grains.Nodes;
using OrleansEvents.Streams;

namespace OrleansEvents.Grains.Bridge;

/// <summary>Registers the Orleans stream provider whose streams are event streams.</summary>
public static class BridgeParts
{
    /// <summary>On a silo, which must have <see cref="ClusterStreams"/> and grain storage by default; on all silos of
    /// the cluster, because each does its part for followers.</summary>
    public static ISiloBuilder AddEventStreams(this ISiloBuilder silo, BridgeOptions options)
    {
        silo.Services.AddSingleton(options);
        silo.Services.AddKeyedSingleton<IGrainStorage>(options.Provider, (services, _) => new SubscriptionStorage(
            services.GetRequiredKeyedService<IGrainStorage>(ProviderConstants.DEFAULT_STORAGE_PROVIDER_NAME),
            services.GetRequiredService<IGrainFactory>(), options));
        return silo.AddPersistentStreams(options.Provider, (services, _) => Adapter(services, options,
            services.GetRequiredService<ClusterStreams>), stream =>
        {
            // An implicit subscription would bring up a grain for every stream of the cluster.
            stream.ConfigureStreamPubSub(StreamPubSubType.ExplicitGrainBasedOnly);
            stream.ConfigurePullingAgent(agents => agents.Configure(agent =>
                (agent.GetQueueMsgsTimerPeriod, agent.MaxEventDeliveryTime) = (options.LookEvery, options.DeliverFor)));
            stream.ConfigureBackoffProvider((_, _) => new DeliveryPauses());
        });
    }

    /// <summary>On a client of the cluster: it publishes to the streams' owners, and follows by way of the
    /// silos.</summary>
    public static IClientBuilder AddEventStreams(this IClientBuilder client, BridgeOptions options)
    {
        client.Services.TryAddSingleton(ForPublishing);
        return client.AddPersistentStreams(options.Provider, (services, _) => Adapter(services, options,
            services.GetRequiredService<ClusterStreams>),
            stream => stream.ConfigureStreamPubSub(StreamPubSubType.ExplicitGrainBasedOnly));
    }

    private static EventStreamsAdapter Adapter(IServiceProvider services, BridgeOptions options,
        Func<ClusterStreams> streams)
    {
        return new EventStreamsAdapter(options, streams, Queue,
            services.GetRequiredService<ILogger<EventStreamsAdapter>>());

        FollowedQueue Queue(QueueId id) => new(options, id, services.GetRequiredService<IGrainFactory>(), streams(),
            services.GetRequiredService<IStreamSubscriptionManagerAdmin>()
                .GetStreamSubscriptionManager(StreamSubscriptionManagerType.ExplicitSubscribeOnly),
            services.GetService<TimeProvider>() ?? TimeProvider.System,
            services.GetRequiredService<ILogger<FollowedQueue>>());
    }

    /// <summary>What a client needs that is no node: it lists no streams, so it knows no log.</summary>
    private static ClusterStreams ForPublishing(IServiceProvider services)
    {
        var (memory, options) = (new FeedMemory(), new NodeOptions());
        return new ClusterStreams(new NodeContext(services.GetRequiredService<IGrainFactory>(), null!, memory,
            new MemoryBudget(memory, options.MemoryBytes), options, TimeProvider.System,
            services.GetRequiredService<ILoggerFactory>(),
            new RequestNumbers(BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(8))), new ClusterCounts()));
    }

    /// <summary>Between deliveries to a follower that fails: 0.1 s, doubled each time up to 10 s.</summary>
    private sealed class DeliveryPauses : IMessageDeliveryBackoffProvider
    {
        public TimeSpan Next(int attempt) => TimeSpan.FromSeconds(Math.Min(10, 0.1 * (1L << Math.Min(attempt, 10))));
    }
}
