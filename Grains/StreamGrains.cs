using System.Security.Cryptography;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;
using Orleans.Runtime;
using OrleansEvents.Grains.Nodes;
using OrleansEvents.Grains.Subscribers;
using OrleansEvents.Streams;

namespace OrleansEvents.Grains;

/// <summary>Registers what the cluster needs.</summary>
public static class StreamGrains
{
    /// <summary>Lets a silo own streams over its <see cref="IEventLog"/>, which must be registered and be the same
    /// storage for all silos of the cluster and an <see cref="ISubscriberLog"/> too.</summary>
    public static IServiceCollection AddStreamGrains(this IServiceCollection services, StreamGrainOptions options)
    {
        AddShared(services, options.MemoryBytes);
        services.TryAddSingleton<SubscriberTotals>();
        services.AddSingleton(provider => new HandOver(provider.GetRequiredService<OwnedStreams>(),
            provider.GetRequiredService<ISiloStatusOracle>(),
            provider.GetService<TimeProvider>() ?? TimeProvider.System));
        services.TryAddSingleton<WarmUp>();
        services.TryAddSingleton(provider => new Alarms(provider.GetService<TimeProvider>() ?? TimeProvider.System));
        services.AddSingleton(provider => new SubscriberGrainContext(
            provider.GetRequiredService<IEventLog>(),
            provider.GetService<ISubscriberLog>() ?? (ISubscriberLog)provider.GetRequiredService<IEventLog>(),
            options.Subscribers,
            provider.GetService<TimeProvider>() ?? TimeProvider.System,
            provider.GetRequiredService<ILogger<SubscriberGrain>>(),
            provider.GetRequiredService<SubscriberTotals>(),
            provider.GetRequiredService<ClusterCounts>()));
        return services.AddSingleton(provider => new StreamGrainContext(
            provider.GetRequiredService<IEventLog>(),
            provider.GetRequiredService<FeedMemory>(),
            provider.GetRequiredService<MemoryBudget>(),
            provider.GetRequiredService<Alarms>(),
            options,
            provider.GetService<TimeProvider>() ?? TimeProvider.System,
            new OwnEpochs(),
            provider.GetRequiredService<OwnedStreams>(),
            provider.GetRequiredService<ClusterCounts>(),
            provider.GetRequiredService<RequestNumbers>().Node,
            ClusterStreams.NameOf(provider.GetRequiredService<ILocalSiloDetails>().SiloAddress),
            new StreamDirectory(provider.GetRequiredService<IGrainFactory>())));
    }

    /// <summary>Registers <see cref="IEventStreams"/> over the cluster's streams, on a silo or a client of it; the
    /// cluster's <see cref="IEventLog"/> must be registered too.</summary>
    public static IServiceCollection AddClusterStreams(this IServiceCollection services, NodeOptions options)
    {
        AddShared(services, options.MemoryBytes);
        services.AddSingleton(provider => new NodeContext(
            provider.GetRequiredService<IGrainFactory>(),
            provider.GetRequiredService<IEventLog>(),
            provider.GetRequiredService<FeedMemory>(),
            provider.GetRequiredService<MemoryBudget>(),
            options,
            provider.GetService<TimeProvider>() ?? TimeProvider.System,
            provider.GetRequiredService<ILoggerFactory>(),
            provider.GetRequiredService<RequestNumbers>(),
            provider.GetRequiredService<ClusterCounts>(),
            provider.GetService<SubscriberGrainContext>()));
        services.AddSingleton(provider => new ClusterStreams(provider.GetRequiredService<NodeContext>()));
        return services.AddSingleton<IEventStreams>(provider => provider.GetRequiredService<ClusterStreams>());
    }

    /// <summary>One budget for what a silo owns and for what it follows, and one count of what it does.</summary>
    private static void AddShared(IServiceCollection services, long bytes)
    {
        services.TryAddSingleton<ClusterCounts>();
        services.TryAddSingleton<OwnedStreams>();
        services.TryAddSingleton(_ => new RequestNumbers(BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(8))));
        services.TryAddSingleton<FeedMemory>();
        services.TryAddSingleton(provider => new MemoryBudget(provider.GetRequiredService<FeedMemory>(), bytes));
    }
}
