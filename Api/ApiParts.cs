using OrleansEvents.Api.Options;

namespace OrleansEvents.Api;

/// <summary>What this server is made of: the services it registers and the endpoints it maps.</summary>
internal static class ApiParts
{
    public static void ConfigureServices(IServiceCollection services, ServerOptions options)
    {
    }

    public static void MapEndpoints(WebApplication app)
    {
    }
}
