namespace OrleansEvents.Api.Options;

/// <summary>Section <c>Telemetry</c>: where metrics and traces are sent. <c>/metrics</c> is there in any
/// case.</summary>
internal sealed class TelemetryOptions
{
    [Setting("address of an OpenTelemetry collector for metrics and traces, such as http://127.0.0.1:4318; without one,"
        + " OTEL_EXPORTER_OTLP_ENDPOINT of the environment; without that nothing is sent")]
    public string OtlpEndpoint { get; init; } = "";

    [Setting("time between two sendings of metrics to the collector", Unit = "seconds", Min = 0.1, Max = 3600)]
    public TimeSpan OtlpInterval { get; init; } = TimeSpan.FromSeconds(60);
}
