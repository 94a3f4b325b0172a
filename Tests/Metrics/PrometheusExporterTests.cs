using OrleansEvents.Api.Metrics;
using Xunit;

namespace OrleansEvents.Tests.Metrics;

public sealed class PrometheusExporterTests
{
    [Fact]
    public void Buckets_are_cumulated_and_a_bound_belongs_to_its_bucket()
    {
        using var meter = new ServerMeter();
        using var exporter = new PrometheusExporter(meter);
        foreach (var events in new[] { 1, 2, 3, 20_000 }) meter.CommitEvents.Record(events);

        var scrape = Scrape.OfText(exporter.Collect());

        Assert.Equal(1, scrape["commit_events_bucket{le=\"1\"}"]);
        Assert.Equal(2, scrape["commit_events_bucket{le=\"2\"}"]);
        Assert.Equal(3, scrape["commit_events_bucket{le=\"5\"}"]);
        Assert.Equal(3, scrape["commit_events_bucket{le=\"10000\"}"]);
        Assert.Equal(4, scrape["commit_events_bucket{le=\"+Inf\"}"]);
        Assert.Equal(4, scrape["commit_events_count"]);
        Assert.Equal(20_006, scrape["commit_events_sum"]);
    }

    [Fact]
    public void Labels_are_escaped()
    {
        using var meter = new ServerMeter();
        using var exporter = new PrometheusExporter(meter);
        meter.SlowOperations.One("operation", "a\\b\"c\nd");
        Assert.Equal(1, Scrape.OfText(exporter.Collect())["""slow_operations_total{operation="a\\b\"c\nd"}"""]);
        Assert.Equal("""a\\b\nc"d""", PrometheusExporter.EscapeHelp("a\\b\nc\"d"));
    }

    [Fact]
    public void Many_threads_lose_no_count()
    {
        using var meter = new ServerMeter();
        using var exporter = new PrometheusExporter(meter);
        Parallel.For(0, 10_000, i =>
        {
            meter.GapsTold.One("reason", i % 2 == 0 ? "slow" : "evicted");
            meter.CommitEvents.Record(1);
            meter.DeliveredEvents.Add(0, 3);
        });
        var scrape = Scrape.OfText(exporter.Collect());
        Assert.Equal(5000, scrape["gaps_told_total{reason=\"slow\"}"]);
        Assert.Equal(5000, scrape["gaps_told_total{reason=\"evicted\"}"]);
        Assert.Equal(10_000, scrape["commit_events_count"]);
        Assert.Equal(10_000, scrape["commit_events_sum"]);
        Assert.Equal(30_000, scrape["delivered_events_total{by=\"sse\"}"]);
    }

    [Fact]
    public void Counting_allocates_nothing()
    {
        using var meter = new ServerMeter();
        using var exporter = new PrometheusExporter(meter);
        Count(meter);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 1000; i++) Count(meter);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    private static void Count(ServerMeter meter)
    {
        meter.DeliveredEvents.Add(0, 1);
        meter.DeliveredBytes.Add(0, 100);
        meter.GapsTold.One("reason", "slow");
        meter.CommitEvents.Record(5);
        meter.Told(OrleansEvents.Streams.ErrorCode.SlowClient, "frame");
    }
}
