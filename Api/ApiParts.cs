using OrleansEvents.Api.Endpoints;
using OrleansEvents.Api.Health;
using OrleansEvents.Api.Metrics;
using OrleansEvents.Api.Options;
using OrleansEvents.Api.Page;
using OrleansEvents.Api.Sse;
using OrleansEvents.Api.Webhooks;

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
        engine.AddTo(builder, options);
        services.AddSingleton<SystemEvents>();
        services.AddSingleton<Operations>();
        services.AddSingleton<PublishEndpoint>();
        services.AddSingleton<ReadEndpoint>();
        services.AddSingleton<ConnectionCounts>();
        services.AddSingleton<ConnectionTable>();
        HealthLog.AddTo(services);
        WebhookPushers.AddTo(services);
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
