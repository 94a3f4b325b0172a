using OrleansEvents.Api.Options;
using OrleansEvents.Api.Sse;

namespace OrleansEvents.Api;

/// <summary>How a graceful stop begins, whichever engine is behind: readers are told, and who has not gone in time is
/// cut. It ends when the engine has stopped.</summary>
internal sealed class Draining(ConnectionTable connections, IHostApplicationLifetime lifetime, ShutdownOptions options,
    TimeProvider time) : IHostedService
{
    public Task StartAsync(CancellationToken cancellationToken)
    {
        lifetime.ApplicationStopping.Register(() =>
        {
            connections.Drain();
            _ = CutLate();
        });
        return Task.CompletedTask;
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        await connections.WhenEmpty(cancellationToken);
        connections.Dispose();
    }

    private async Task CutLate()
    {
        await Task.Delay(options.Drain, time);
        connections.Cut();
    }
}
