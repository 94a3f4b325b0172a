using System.Security.Cryptography;
using Microsoft.Extensions.DependencyInjection;
using OrleansEvents.Streams;

namespace OrleansEvents.Grains;

/// <summary>Registers what stream grains need, on a silo.</summary>
public static class StreamGrains
{
    /// <summary>Lets the silo own streams over its <see cref="IEventLog"/>, which must be registered and be the same
    /// storage for all silos of the cluster.</summary>
    public static IServiceCollection AddStreamGrains(this IServiceCollection services, StreamGrainOptions options) =>
        services.AddSingleton(provider => new StreamGrainContext(
            provider.GetRequiredService<IEventLog>(),
            new FeedMemory(),
            options,
            provider.GetService<TimeProvider>() ?? TimeProvider.System,
            () => BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(8))));
}
