using System.Text;

namespace OrleansEvents.Api.Metrics;

/// <summary>What the server has counted, for Prometheus.</summary>
internal static class MetricsEndpoints
{
    public static void Map(IEndpointRouteBuilder routes)
    {
        routes.MapGet("/metrics", Collect);
        // Made now: what is counted before the first look must be seen by it.
        _ = routes.ServiceProvider.GetRequiredService<PrometheusExporter>();
    }

    private static Task Collect(HttpContext http, PrometheusExporter exporter)
    {
        var body = Encoding.UTF8.GetBytes(exporter.Collect());
        http.Response.ContentType = PrometheusExporter.ContentType;
        http.Response.ContentLength = body.Length;
        http.Response.Headers.CacheControl = "no-store";
        return http.Response.Body.WriteAsync(body, http.RequestAborted).AsTask();
    }
}
