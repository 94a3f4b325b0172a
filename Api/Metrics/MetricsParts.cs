using OrleansEvents.Api.Options;

namespace OrleansEvents.Api.Metrics;

/// <summary>Registers what counts, and what shows the counts.</summary>
internal static class MetricsParts
{
    public static void AddTo(IServiceCollection services, ServerOptions options)
    {
        services.AddSingleton<ServerMeter>();
        services.AddSingleton<PrometheusExporter>();
        if (OtlpExport.IsConfigured(options.Telemetry)) services.AddHostedService<OtlpExport>();
    }
}
