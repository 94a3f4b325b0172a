using OrleansEvents.Api.Options;
using OrleansEvents.Api.Sse;
using OrleansEvents.Streams;

namespace OrleansEvents.Api.Embedded;

/// <summary>The engine's beginning and end. At a graceful stop readers are told, publishers finish, then every
/// stream is closed with its ring saved.</summary>
internal sealed class EngineLifetime(IEventLog log, EmbeddedStreams streams, ConnectionTable connections,
    StoreCircuit circuit, SystemEvents system, IHostApplicationLifetime lifetime, ShutdownOptions options,
    TimeProvider time) : IHostedService
{
    private bool _stopped;

    public Task StartAsync(CancellationToken cancellationToken)
    {
        circuit.Changed += StoreChanged;
        lifetime.ApplicationStopping.Register(() =>
        {
            connections.Drain();
            _ = CutLate();
        });
        // Not awaited: a start does not wait for webhooks.
        _ = streams.Wake();
        return Task.CompletedTask;
    }

    /// <summary>Called when the web server has stopped: nothing is published any more.</summary>
    public async Task StopAsync(CancellationToken cancellationToken)
    {
        if (Interlocked.Exchange(ref _stopped, true)) return;
        await streams.DisposeAsync();
        await log.DisposeAsync();
        connections.Dispose();
    }

    private async Task CutLate()
    {
        await Task.Delay(options.Drain, time);
        connections.Cut();
    }

    private void StoreChanged(string? failure)
    {
        connections.Tell(failure is null
            ? ProblemFrame.Make(time, ErrorCode.SourceRecovered, "Storage takes writes again.")
            : ProblemFrame.Make(time, ErrorCode.StoreUnavailable,
                "Storage does not take writes: critical events are refused."));
        system.Status(failure is null ? "running" : "degraded", failure ?? "Storage takes writes again.");
    }
}
