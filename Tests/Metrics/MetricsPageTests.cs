using System.Text;
using OrleansEvents.Api.Metrics;
using OrleansEvents.Tests.Docs;
using OrleansEvents.Tests.Host;
using Xunit;

namespace OrleansEvents.Tests.Metrics;

public sealed class MetricsPageTests
{
    private const string Begin = "<!-- instruments -->\n";
    private const string End = "<!-- /instruments -->";

    /// <summary>With <c>UPDATE_DOCS=1</c> the table is written, not compared.</summary>
    [Fact]
    public void The_page_has_every_instrument_and_no_other()
    {
        var page = Documents.Read("docs/metrics.md");
        var (from, to) = (page.IndexOf(Begin, StringComparison.Ordinal) + Begin.Length,
            page.IndexOf(End, StringComparison.Ordinal));
        var updated = page[..from] + Table() + page[to..];
        if (Environment.GetEnvironmentVariable("UPDATE_DOCS") == "1")
            File.WriteAllText(Given.RepositoryFile("docs/metrics.md"), updated);
        else Assert.Equal(updated, page);
    }

    private static string Table()
    {
        using var meter = new ServerMeter();
        var table = new StringBuilder("| in Prometheus | kind | labels | instrument, unit | what |\n")
            .Append("| --- | --- | --- | --- | --- |\n");
        foreach (var metric in meter.All)
        {
            var (instrument, labels) = (metric.Instrument, metric.Labels.Select(label => $"`{label}`"));
            var unit = instrument.Unit is { Length: > 0 } its ? $", {its}" : "";
            table.Append($"| `{metric.PrometheusName}` | {metric.Kind} | {string.Join(", ", labels)} ")
                .Append($"| `{instrument.Name}`{unit} | {instrument.Description} |\n");
        }
        return table.ToString();
    }
}
