using OrleansEvents.Grains;

namespace OrleansEvents.Silo;

/// <summary>Lets the node have done all of a stream's work once, when it has joined and before it is ready.</summary>
internal sealed class WarmUpAtStart(WarmUp ways, Api.Options.ClusterOptions options) : IHostedService
{
    public Task StartAsync(CancellationToken cancellationToken) =>
        options.WarmUp > TimeSpan.Zero ? ways.Run(options.WarmUp) : Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
