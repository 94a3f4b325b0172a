using OrleansEvents.Api.Health;
using OrleansEvents.Api.Options;
using OrleansEvents.Api.Page;

namespace OrleansEvents.Api;

/// <summary>What this server is made of: the services it registers and the endpoints it maps.</summary>
internal static class ApiParts
{
    public static void ConfigureServices(IServiceCollection services, ServerOptions options)
    {
        services.AddSingleton(ReadinessCheck.OfServer);
    }

    public static void MapEndpoints(WebApplication app)
    {
        HealthEndpoints.Map(app);
        PageEndpoints.Map(app);
    }
}
