using OrleansEvents.Api.Embedded;
using OrleansEvents.Api.Endpoints;
using OrleansEvents.Api.Health;
using OrleansEvents.Api.Http;
using OrleansEvents.Api.Metrics;
using OrleansEvents.Api.Options;
using OrleansEvents.Api.Page;
using OrleansEvents.Api.Sse;
using OrleansEvents.Api.Webhooks;
using OrleansEvents.Streams;

namespace OrleansEvents.Api;

/// <summary>What this server is made of: the services it registers and the endpoints it maps.</summary>
internal static class ApiParts
{
    public static void ConfigureServices(WebApplicationBuilder builder, ServerOptions options, ApiEngine engine)
    {
        var services = builder.Services;
        services.AddSingleton(ReadinessCheck.OfServer);
        services.AddSingleton<StartNotes>();
        MetricsParts.AddTo(services, options);
        services.AddHostedService<Draining>();
        services.AddHostedService<MemoryTrim>();
        AddStore(services, options);
        engine.AddTo(builder, options);
        services.AddSingleton<SystemEvents>();
        services.AddSingleton<Operations>();
        services.AddSingleton<RequestMemory>();
        services.AddSingleton<OpenConnections>();
        services.AddSingleton<PublishEndpoint>();
        services.AddSingleton<StreamNameFilter>();
        services.AddSingleton<ReadEndpoint>();
        services.AddSingleton<ConnectionCounts>();
        services.AddSingleton<ConnectionTable>();
        HealthLog.AddTo(services);
        WebhookPushers.AddTo(services);
    }

    /// <summary>What is known of storage and of subscribers, whichever engine uses it.</summary>
    private static void AddStore(IServiceCollection services, ServerOptions options)
    {
        services.AddSingleton(provider => new StoreCircuit(provider.GetRequiredService<IEventLog>(),
            options.Storage.CircuitOpen, provider.GetRequiredService<TimeProvider>(),
            provider.GetRequiredService<ILogger<StoreCircuit>>(), provider.GetRequiredService<Operations>()));
        services.AddSingleton(provider =>
        {
            var circuit = provider.GetRequiredService<StoreCircuit>();
            return new ReadinessCheck("store", () => circuit.Failure);
        });
        services.AddSingleton<StoreNews>();
        services.AddSingleton<SubscriberTotals>();
        services.AddSingleton(provider => new HealthFigure("retries processed",
            () => provider.GetRequiredService<SubscriberTotals>().Now.Retried));
    }

    public static void MapEndpoints(WebApplication app)
    {
        HealthEndpoints.Map(app);
        MetricsEndpoints.Map(app);
        PageEndpoints.Map(app);
        StreamsEndpoints.Map(app);
        SubscribersEndpoints.Map(app);
        ConnectionsEndpoints.Map(app);
        AdminEndpoints.Map(app);
    }
}
