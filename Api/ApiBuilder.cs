using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging.Console;
using OrleansEvents.Api.Http;
using OrleansEvents.Api.Options;
using OrleansEvents.Api.Problems;

namespace OrleansEvents.Api;

/// <summary>Puts the application together from nothing: only what is used is registered, for a quick start.</summary>
internal static class ApiBuilder
{
    public static WebApplication Build(Settings settings, ApiEngine engine, StartGate gate,
        Action<IServiceCollection>? configure)
    {
        var options = settings.Options;
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions
        {
            ApplicationName = typeof(ApiBuilder).Assembly.GetName().Name,
            ContentRootPath = AppContext.BaseDirectory,
        });
        builder.Configuration.AddInMemoryCollection(settings.Flat);
        ConfigureLogging(builder, gate);
        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(kestrel => ConfigureKestrel(kestrel, options));
        // Certificates, above all.
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Configure(builder.Configuration.GetSection("Kestrel")));
        // Nothing here blocks: a request is served where its bytes are read.
        builder.WebHost.UseSockets(sockets => sockets.UnsafePreferInlineScheduling = true);
        builder.WebHost.UseUrls(options.Urls.Split(';'));
        builder.Services.AddRouting();
        builder.Services.AddSingleton(TimeProvider.System);
        // Behind the limits of those who stop, so that it is they who pass theirs.
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout =
            options.Shutdown.Drain + options.Shutdown.Close + TimeSpan.FromSeconds(5));
        options.AddTo(builder.Services);
        ApiParts.ConfigureServices(builder, options, engine);
        configure?.Invoke(builder.Services);

        var app = builder.Build();
        app.UseMiddleware<FaultBoundary>();
        app.UseMiddleware<CrossOrigin>();
        app.UseMiddleware<MethodRules>();
        app.UseRouting();
        app.UseMiddleware<RestoreHead>();
        app.Use(HeldOutput.OnRequestAsync);
        ApiParts.MapEndpoints(app);
        return app;
    }

    private static void ConfigureKestrel(KestrelServerOptions kestrel, ServerOptions options)
    {
        kestrel.AddServerHeader = false;
        kestrel.AllowSynchronousIO = false;
        kestrel.Limits.MaxRequestBodySize = options.Limits.RequestBytes;
        kestrel.Limits.MaxRequestHeadersTotalSize = options.Limits.HeaderBytes;
        kestrel.Limits.MaxRequestLineSize = options.Limits.HeaderBytes / 2;
        kestrel.Limits.Http2.MaxRequestHeaderFieldSize = options.Limits.HeaderBytes / 2;
        var open = kestrel.ApplicationServices.GetRequiredService<OpenConnections>();
        kestrel.ConfigureEndpointDefaults(listen =>
        {
            listen.Use(next => connection => open.OnConnectionAsync(connection, next));
            if (Http2Cleartext.IsAvailable)
                listen.Use(next => new Http2Cleartext(next, kestrel.Limits.KeepAliveTimeout).OnConnectionAsync);
            listen.Use(next => connection => HeldOutput.OnConnectionAsync(connection, next));
        });
    }

    // Log lines go to stderr: stdout is for the banner, and for whatever an operator pipes.
    private static void ConfigureLogging(WebApplicationBuilder builder, StartGate gate)
    {
        gate.AddFilters(builder.Logging);
        builder.Logging
            .AddFilter(null, LogLevel.Warning)
            .AddFilter("OrleansEvents", LogLevel.Information)
            // It would make an activity and a scope for each request, for lines that the fault boundary writes.
            .AddFilter("Microsoft.AspNetCore.Hosting.Diagnostics", LogLevel.None)
            .AddConfiguration(builder.Configuration.GetSection("Logging"))
            .AddSimpleConsole(console =>
            {
                console.SingleLine = true;
                console.UseUtcTimestamp = true;
                console.TimestampFormat = "yyyy-MM-dd'T'HH:mm:ss.fff'Z' ";
            });
        builder.Services.Configure<ConsoleLoggerOptions>(console =>
            console.LogToStandardErrorThreshold = LogLevel.Trace);
    }
}
