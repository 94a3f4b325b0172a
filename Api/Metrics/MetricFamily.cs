using System.Diagnostics.Metrics;

namespace OrleansEvents.Api.Metrics;

/// <summary>What has been measured of one instrument: a series for each set of labels that occurred.</summary>
internal sealed class MetricFamily
{
    // Labels have few values; should a mistake give one of them many, the rest is not kept.
    private const int MostSeries = 500;
    private readonly Lock _adding = new();
    private MetricSeries[] _series = [];

    public MetricFamily(Metric metric)
    {
        Metric = metric;
        Bounds = (metric.Instrument as Histogram<double>)?.Advice?.HistogramBucketBoundaries;
        // Without labels it is there from the beginning, at 0: an alert can be made of it before the first occurs.
        if (metric.Labels.Count == 0) _series = [new MetricSeries([], Bounds)];
    }

    public Metric Metric { get; }

    public IReadOnlyList<double>? Bounds { get; }

    public IReadOnlyList<MetricSeries> Series => Volatile.Read(ref _series);

    public MetricSeries? Of(ReadOnlySpan<KeyValuePair<string, object?>> labels) =>
        Find(Volatile.Read(ref _series), labels) ?? Add(labels);

    private MetricSeries? Add(ReadOnlySpan<KeyValuePair<string, object?>> labels)
    {
        lock (_adding)
        {
            if (Find(_series, labels) is { } known) return known;
            if (_series.Length >= MostSeries) return null;
            var added = new MetricSeries(labels.ToArray(), Bounds);
            Volatile.Write(ref _series, [.. _series, added]);
            return added;
        }
    }

    private static MetricSeries? Find(MetricSeries[] all, ReadOnlySpan<KeyValuePair<string, object?>> labels)
    {
        foreach (var series in all)
            if (series.Has(labels)) return series;
        return null;
    }
}

/// <summary>The numbers of one set of labels. Many threads add.</summary>
internal sealed class MetricSeries(KeyValuePair<string, object?>[] labels, IReadOnlyList<double>? bounds)
{
    private readonly long[] _buckets = bounds is null ? [] : new long[bounds.Count + 1];
    private long _count;
    private double _value;

    public IReadOnlyList<KeyValuePair<string, object?>> Labels => labels;

    /// <summary>A counter's count.</summary>
    public long Count => Volatile.Read(ref _count);

    /// <summary>What was last seen of something observed, or a histogram's sum.</summary>
    public double Value => Volatile.Read(ref _value);

    public void Add(long count) => Interlocked.Add(ref _count, count);

    public void Set(double value) => Volatile.Write(ref _value, value);

    /// <summary>Adds to a histogram.</summary>
    public void Record(double value)
    {
        var bucket = 0;
        while (bucket < bounds!.Count && value > bounds[bucket]) bucket++;
        Interlocked.Increment(ref _buckets[bucket]);
        for (var before = Volatile.Read(ref _value); ;)
        {
            var seen = Interlocked.CompareExchange(ref _value, before + value, before);
            if (seen.Equals(before)) return;
            before = seen;
        }
    }

    /// <summary>Of a histogram: how many were not above each bound, and at the end how many there were.</summary>
    public long[] Cumulated()
    {
        var cumulated = new long[_buckets.Length];
        var sum = 0L;
        for (var i = 0; i < _buckets.Length; i++) cumulated[i] = sum += Volatile.Read(ref _buckets[i]);
        return cumulated;
    }

    public bool Has(ReadOnlySpan<KeyValuePair<string, object?>> others)
    {
        if (others.Length != labels.Length) return false;
        for (var i = 0; i < labels.Length; i++)
            if (!Equals(labels[i].Value, others[i].Value)) return false;
        return true;
    }
}
