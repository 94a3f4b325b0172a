using System.Diagnostics.Metrics;
using System.Globalization;
using System.Text;

namespace OrleansEvents.Api.Metrics;

/// <summary>
/// Writes what the meter has measured in Prometheus' text format, version 0.0.4, for <c>GET /metrics</c>.
/// <para>In place of the package OpenTelemetry.Exporter.Prometheus.AspNetCore, which has had no release that is not a
/// preview: with it this file, <see cref="MetricFamily"/> and their tests can go, and the meter stays as it
/// is.</para>
/// </summary>
internal sealed class PrometheusExporter : IDisposable
{
    public const string ContentType = "text/plain; version=0.0.4; charset=utf-8";
    private readonly Lock _collecting = new();
    private readonly MeterListener _listener = new();
    private readonly List<MetricFamily> _families = [];

    public PrometheusExporter(ServerMeter meter)
    {
        _families.AddRange(meter.All.Select(static metric => new MetricFamily(metric)));
        var byInstrument = _families.ToDictionary(family => family.Metric.Instrument);
        // By the instrument, not by its name: a process may hold two servers.
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (byInstrument.TryGetValue(instrument, out var family))
                listener.EnableMeasurementEvents(instrument, family);
        };
        _listener.SetMeasurementEventCallback<long>(static (instrument, value, labels, family) =>
        {
            if (((MetricFamily)family!).Of(labels) is not { } series) return;
            if (instrument.IsObservable) series.Set(value);
            else series.Add(value);
        });
        _listener.SetMeasurementEventCallback<double>(static (instrument, value, labels, family) =>
        {
            if (((MetricFamily)family!).Of(labels) is not { } series) return;
            if (instrument.IsObservable) series.Set(value);
            else series.Record(value);
        });
        _listener.Start();
    }

    public string Collect()
    {
        var text = new StringBuilder(16_384);
        lock (_collecting)
        {
            _listener.RecordObservableInstruments();
            foreach (var family in _families) Write(text, family);
        }
        return text.ToString();
    }

    public void Dispose() => _listener.Dispose();

    private static void Write(StringBuilder text, MetricFamily family)
    {
        var (metric, name) = (family.Metric, family.Metric.PrometheusName);
        text.Append("# HELP ").Append(name).Append(' ').Append(EscapeHelp(metric.Instrument.Description!)).Append('\n')
            .Append("# TYPE ").Append(name).Append(' ').Append(metric.Kind).Append('\n');
        foreach (var series in family.Series)
        {
            if (family.Bounds is { } bounds) WriteHistogram(text, name, series, bounds);
            else Line(text, name, series, null, metric.Instrument.IsObservable ? Number(series.Value)
                : series.Count.ToString(CultureInfo.InvariantCulture));
        }
    }

    private static void WriteHistogram(StringBuilder text, string name, MetricSeries series,
        IReadOnlyList<double> bounds)
    {
        var sum = series.Value;
        var counts = series.Cumulated();
        for (var i = 0; i < counts.Length; i++)
            Line(text, $"{name}_bucket", series, i < bounds.Count ? Number(bounds[i]) : "+Inf",
                counts[i].ToString(CultureInfo.InvariantCulture));
        Line(text, $"{name}_sum", series, null, Number(sum));
        Line(text, $"{name}_count", series, null, counts[^1].ToString(CultureInfo.InvariantCulture));
    }

    private static void Line(StringBuilder text, string name, MetricSeries series, string? bound, string value)
    {
        text.Append(name);
        var open = '{';
        foreach (var (label, labelled) in series.Labels)
        {
            text.Append(open).Append(label).Append("=\"").Append(EscapeLabel($"{labelled}")).Append('"');
            open = ',';
        }
        if (bound is not null)
        {
            text.Append(open).Append("le=\"").Append(bound).Append('"');
            open = ',';
        }
        if (open == ',') text.Append('}');
        text.Append(' ').Append(value).Append('\n');
    }

    private static string Number(double value) => value.ToString("R", CultureInfo.InvariantCulture);

    internal static string EscapeHelp(string text) =>
        text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal);

    internal static string EscapeLabel(string text) =>
        EscapeHelp(text).Replace("\"", "\\\"", StringComparison.Ordinal);
}
