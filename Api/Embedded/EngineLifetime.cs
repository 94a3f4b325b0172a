using OrleansEvents.Api.Options;
using OrleansEvents.Streams;

namespace OrleansEvents.Api.Embedded;

/// <summary>The engine's beginning and end. At a graceful stop every stream is closed with its ring saved, when nothing
/// is published any more.</summary>
internal sealed partial class EngineLifetime(IEventLog log, EmbeddedStreams streams, StoreNews news,
    ShutdownOptions options, Operations operations, ILogger<EngineLifetime> logger) : IHostedService
{
    private bool _stopped;

    public Task StartAsync(CancellationToken cancellationToken)
    {
        news.Follow();
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
    }

    private async Task Close()
    {
        await streams.DisposeAsync();
        await log.DisposeAsync();
    }

    [LoggerMessage(EventIds.NotClosed, LogLevel.Error, "Storage did not take what the streams leave within {Limit} s: "
        + "the next start finds them as after a crash")]
    private static partial void NotClosed(ILogger logger, double limit);
}
