using System.Collections.Concurrent;
using System.Diagnostics;
using OrleansEvents.Streams;

namespace OrleansEvents.Tests.Metrics;

/// <summary>A publisher's trace, and the spans of the server in it.</summary>
internal sealed class Trace : IDisposable
{
    /// <summary>The publisher's own span.</summary>
    public const string Publisher = "b9c7c989f97918e1";

    private readonly ActivityTraceId _id = ActivityTraceId.CreateRandom();
    private readonly ActivityListener _listener;

    public Trace()
    {
        _listener = new ActivityListener
        {
            ShouldListenTo = static source => source.Name == EventTrace.SourceName,
            Sample = static (ref _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStarted = span =>
            {
                if (span.TraceId == _id) Started.Enqueue(span);
            },
            ActivityStopped = span =>
            {
                if (span.TraceId == _id) Stopped.Enqueue(span);
            },
        };
        ActivitySource.AddActivityListener(_listener);
    }

    public string Parent => $"00-{_id.ToHexString()}-{Publisher}-01";

    public ConcurrentQueue<Activity> Started { get; } = new();

    public ConcurrentQueue<Activity> Stopped { get; } = new();

    public void Dispose() => _listener.Dispose();
}
