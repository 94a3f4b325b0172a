using OrleansEvents.Api.Metrics;
using OrleansEvents.Api.Options;
using OrleansEvents.Api.Sse;
using OrleansEvents.Streams;

namespace OrleansEvents.Api.Embedded;

/// <summary>The engine's beginning and end. At a graceful stop readers are told, publishers finish, then every
/// stream is closed with its ring saved.</summary>
internal sealed partial class EngineLifetime(IEventLog log, EmbeddedStreams streams, ConnectionTable connections,
    StoreCircuit circuit, SystemEvents system, IHostApplicationLifetime lifetime, ShutdownOptions options,
    Operations operations, TimeProvider time, ILogger<EngineLifetime> logger) : IHostedService
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
        if (!await operations.EndsWithin(options.Close, Close(), "shutdown"))
            NotClosed(logger, options.Close.TotalSeconds);
        connections.Dispose();
    }

    private async Task Close()
    {
        await streams.DisposeAsync();
        await log.DisposeAsync();
    }

    private async Task CutLate()
    {
        await Task.Delay(options.Drain, time);
        connections.Cut();
    }

    private void StoreChanged(string? failure)
    {
        if (failure is not null) connections.Meter.Failed(ErrorCode.StoreUnavailable);
        if (failure is null) connections.Tell(ErrorCode.SourceRecovered, "Storage takes writes again.");
        else connections.Tell(ErrorCode.StoreUnavailable, "Storage does not take writes: critical events are refused.");
        system.Status(failure is null ? "running" : "degraded", failure ?? "Storage takes writes again.");
    }

    [LoggerMessage(EventIds.NotClosed, LogLevel.Error, "Storage did not take what the streams leave within {Limit} s: "
        + "the next start finds them as after a crash")]
    private static partial void NotClosed(ILogger logger, double limit);
}
