using OpenTelemetry;
using OpenTelemetry.Exporter;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;
using OrleansEvents.Api.Options;
using OrleansEvents.Streams;

namespace OrleansEvents.Api.Metrics;

/// <summary>
/// Sends metrics and traces to an OpenTelemetry collector. Registered only when one is configured: otherwise nothing of
/// OpenTelemetry is even loaded, and nobody listens to the spans, which are then not made. Over HTTP with protobuf;
/// the environment's other standard variables (<c>OTEL_EXPORTER_OTLP_PROTOCOL</c>, <c>…_HEADERS</c>,
/// <c>OTEL_SERVICE_NAME</c>, <c>OTEL_TRACES_SAMPLER</c>) hold.
/// </summary>
internal sealed class OtlpExport(TelemetryOptions options, ClusterOptions cluster) : IHostedService, IDisposable
{
    private const string EndpointVariable = "OTEL_EXPORTER_OTLP_ENDPOINT";
    private const string ProtocolVariable = "OTEL_EXPORTER_OTLP_PROTOCOL";
    private const string ServiceNameVariable = "OTEL_SERVICE_NAME";

    /// <summary>The calls between the nodes of a cluster.</summary>
    private static readonly string[] s_calls = ["Microsoft.Orleans.Runtime", "Microsoft.Orleans.Application"];

    private MeterProvider? _metrics;
    private TracerProvider? _traces;

    public static bool IsConfigured(TelemetryOptions options) =>
        options.OtlpEndpoint.Length > 0 || Variable(EndpointVariable) is not null;

    public Task StartAsync(CancellationToken cancellationToken)
    {
        _traces = Sdk.CreateTracerProviderBuilder().AddSource(EventTrace.SourceName)
            .AddSource(cluster.Traces ? s_calls : []).ConfigureResource(Describe)
            .AddOtlpExporter(exporter => Configure(exporter, "v1/traces")).Build();
        _metrics = Sdk.CreateMeterProviderBuilder().AddMeter(ServerMeter.Name).ConfigureResource(Describe)
            .AddOtlpExporter((exporter, reader) =>
            {
                Configure(exporter, "v1/metrics");
                reader.PeriodicExportingMetricReaderOptions.ExportIntervalMilliseconds =
                    (int)options.OtlpInterval.TotalMilliseconds;
            }).Build();
        return Task.CompletedTask;
    }

    /// <summary>Sends what is left.</summary>
    public Task StopAsync(CancellationToken cancellationToken) =>
        // It waits for the collector, with limits of its own.
        Task.Run(Dispose, CancellationToken.None).WaitAsync(cancellationToken);

    public void Dispose()
    {
        Interlocked.Exchange(ref _traces, null)?.Dispose();
        Interlocked.Exchange(ref _metrics, null)?.Dispose();
    }

    private static void Describe(ResourceBuilder resource)
    {
        if (Variable(ServiceNameVariable) is null)
            resource.AddService("orleansevents", serviceVersion: ApiHost.Version);
    }

    private void Configure(OtlpExporterOptions exporter, string path)
    {
        if (Variable(ProtocolVariable) is null) exporter.Protocol = OtlpExportProtocol.HttpProtobuf;
        var endpoint = options.OtlpEndpoint.Length > 0 ? options.OtlpEndpoint : Variable(EndpointVariable)!;
        exporter.Endpoint = exporter.Protocol == OtlpExportProtocol.HttpProtobuf
            ? new Uri($"{endpoint.TrimEnd('/')}/{path}")
            : new Uri(endpoint);
    }

    private static string? Variable(string name) =>
        Environment.GetEnvironmentVariable(name) is { Length: > 0 } value ? value : null;
}
