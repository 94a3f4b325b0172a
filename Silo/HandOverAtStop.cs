using OrleansEvents.Api.Options;
using OrleansEvents.Grains;

namespace OrleansEvents.Silo;

/// <summary>Hands the node's streams over when its own readers and publishers have gone, before its silo leaves the
/// cluster.</summary>
internal sealed class HandOverAtStop(HandOver streams, ShutdownOptions options) : IHostedService
{
    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    // The other half is for those that could not be moved: they are closed.
    public Task StopAsync(CancellationToken cancellationToken) => streams.Run(options.Close / 2);
}
