using OrleansEvents.Api.Options;

namespace OrleansEvents.Api;

/// <summary>One log line each for the start and the end of a server.</summary>
internal static partial class Lifecycle
{
    public static void Follow(WebApplication app, ServerOptions options)
    {
        var log = app.Services.GetRequiredService<ILoggerFactory>().CreateLogger("OrleansEvents.Api.Lifecycle");
        LogStarted(log, ApiHost.Version, string.Join(", ", app.Urls), options.Storage.Store);
        foreach (var (level, text) in app.Services.GetRequiredService<StartNotes>().Lines)
            LogFound(log, level, text);
        if (!Http2Cleartext.IsAvailable)
            LogHttp2Unavailable(log);
        app.Lifetime.ApplicationStopping.Register(() => LogStopping(log, options.Shutdown.Drain.TotalSeconds));
        app.Lifetime.ApplicationStopped.Register(() => LogStopped(log));
    }

    [LoggerMessage(EventIds.Started, LogLevel.Information, "Started {Version} on {Addresses}, store {Store}")]
    private static partial void LogStarted(ILogger log, string version, string addresses, StoreKind store);

    [LoggerMessage(EventId = EventIds.Found, Message = "{Found}")]
    private static partial void LogFound(ILogger log, LogLevel level, string found);

    [LoggerMessage(EventIds.Http2Unavailable, LogLevel.Warning,
        "HTTP/2 without TLS is not available with this version of ASP.NET Core")]
    private static partial void LogHttp2Unavailable(ILogger log);

    [LoggerMessage(EventIds.Stopping, LogLevel.Information, "Stopping, draining for {DrainSeconds} s at most")]
    private static partial void LogStopping(ILogger log, double drainSeconds);

    [LoggerMessage(EventIds.Stopped, LogLevel.Information, "Stopped")]
    private static partial void LogStopped(ILogger log);
}
