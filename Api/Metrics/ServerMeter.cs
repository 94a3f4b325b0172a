using System.Diagnostics.Metrics;
using OrleansEvents.Api.Sse;
using OrleansEvents.Streams;

namespace OrleansEvents.Api.Metrics;

/// <summary>
/// Every instrument of the server, declared here and nowhere else: name, unit, meaning, labels. One meter a server.
/// Whoever counts calls <c>Add</c> or <c>Record</c> with the labels in the order in which they are declared, their
/// values strings from a small closed set. What would be counted per event is counted in a <see cref="DeliveryTally"/>,
/// and what is known anyway is asked for when somebody looks. <c>docs/metrics.md</c> is made from this list.
/// </summary>
internal sealed partial class ServerMeter : IDisposable
{
    public const string Name = "OrleansEvents";
    private const string Prefix = "orleansevents.";
    private static readonly double[] s_seconds =
        [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

    private static readonly double[] s_events = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000];
    private readonly Meter _meter = new(Name, ApiHost.Version);
    private readonly List<Metric> _all = [];

    public ServerMeter()
    {
        PublishedEvents = Counter("published_events", "{event}",
            "Events that came to be published: result is ok, duplicate or the code of the refusal",
            "result", "durable");
        PublishedBytes = Counter("published_bytes", "By", "Bytes of type and data of the events that were appended",
            "durable");
        PublishDuration = Seconds("publish_duration",
            "From the whole request to its answer: result is ok or the code of the refusal", "result", "durable");
        CommitDuration = Seconds("commit_duration", "A stream's commit to storage, waiting for its turn included",
            "result");
        CommitEvents = Histogram("commit_events", "{event}", "Events in a stream's commit", s_events);
        DeliveredEvents = new DeliveryTally("sse", "poll", "webhook");
        DeliveredBytes = new DeliveryTally("sse", "poll", "webhook");
        Observed("delivered_events", "{event}", "Events written to readers, copies included", DeliveredEvents, "by");
        Observed("delivered_bytes", "By", "Bytes written to readers, the server's own frames included",
            DeliveredBytes, "by");
        Gauge("total_clients", "{connection}", "Open connections of readers", () => Connections.TotalClients);
        ConnectionsOpened = Counter("connections_opened", "{connection}", "Connections of readers that began");
        ConnectionsClosed = Counter("connections_closed", "{connection}",
            "Connections of readers that ended: client, ended, shutdown, slow, failed", "reason");
        Grows("slow_client_drops", "{connection}",
            "Connections closed because their reader took nothing for Sse:WriteTimeout", each => each.SlowClientDrops);
        Grows("stale_connections", "{connection}", "Connections closed because they did not answer a ping",
            each => each.StaleConnections);
        Grows("disconnects", "{connection}", "Connections that the client or the network ended",
            each => each.Disconnects);
        Grows("reconnects", "{connection}", "Connections of clients that had been here (client=)",
            each => each.Reconnects);
        Grows("pings_sent", "{ping}", "Pings sent to connections that answer them", each => each.PingsSent);
        Grows("pings_failed", "{ping}", "Pings that were not answered in time", each => each.PingsFailed);
        Grows("notices_dropped", "{frame}", "Frames beside the line that a reader did not take in time",
            each => each.NoticesDropped);
        GapsTold = Counter("gaps_told", "{gap}", "Gaps told to readers", "reason");
        ErrorCount = Counter("error_count", "{error}", "What was refused or failed, each once, by code", "code");
        ProblemsTold = Counter("problems_told", "{problem}",
            "Problems told: in an answer, in a reader's frame, on $system", "code", "to");
        ReadErrors = Counter("read_errors", "{error}",
            "Reads that failed: of a request (cut off, too slow), of storage", "of");
        WriteErrors = Counter("write_errors", "{error}", "Writes that failed: to a reader's connection, to storage",
            "of");
        OperationsTimedOut = Counter("operations_timed_out", "{operation}", "Operations that passed their time limit",
            "operation");
        SlowOperations = Counter("slow_operations", "{operation}",
            "Operations that came near their time limit (Operations:WarnAt), those that passed it included",
            "operation");
        DeclareSubscribers();
        Gauge("streams_open", "{stream}",
            "Streams that are open; in a cluster those that this node owns", () => StreamsOpen());
        Gauge("buffer_memory", "By", "Bytes that the streams' buffers hold (Limits:MemoryBytes bounds them)",
            () => BufferBytes());
        Gauge("request_memory", "By", "Bytes of requests' bodies (Limits:RequestMemoryBytes bounds them)",
            () => RequestBytes());
        Gauge("unsent_memory", "By", "Bytes that wait for readers that are slow (Limits:UnsentBytes bounds them)",
            () => UnsentBytes());
        Gauge("store_circuit_open", "", "1 while storage is taken for down, else 0", () => IsStoreDown() ? 1 : 0);
        DeclareCluster();
        DeclareProcess();
    }

    public Counter<long> PublishedEvents { get; }
    public Counter<long> PublishedBytes { get; }
    public Histogram<double> PublishDuration { get; }
    public Histogram<double> CommitDuration { get; }
    public Histogram<double> CommitEvents { get; }
    public DeliveryTally DeliveredEvents { get; }
    public DeliveryTally DeliveredBytes { get; }
    public Counter<long> ConnectionsOpened { get; }
    public Counter<long> ConnectionsClosed { get; }
    public Counter<long> GapsTold { get; }
    public Counter<long> ErrorCount { get; }
    public Counter<long> ProblemsTold { get; }
    public Counter<long> ReadErrors { get; }
    public Counter<long> WriteErrors { get; }
    public Counter<long> OperationsTimedOut { get; }
    public Counter<long> SlowOperations { get; }

    // What is asked for when somebody looks; set by who knows.
    public ConnectionCounts Connections { private get; set; } = new();
    public Func<SubscriberFigures> Subscribers { private get; set; } = static () => default;
    public Func<long> StreamsOpen { private get; set; } = static () => 0;
    public Func<long> BufferBytes { private get; set; } = static () => 0;
    public Func<long> RequestBytes { private get; set; } = static () => 0;
    public Func<long> UnsentBytes { private get; set; } = static () => 0;
    public Func<bool> IsStoreDown { private get; set; } = static () => false;

    /// <summary>All of them, in the order of the page.</summary>
    public IReadOnlyList<Metric> All => _all;

    public void Dispose() => _meter.Dispose();

    private void DeclareSubscribers()
    {
        Counts("retries_queued", "Deliveries to subscribers that failed and led to another", now => now.Queued);
        Counts("retries_retried", "Deliveries to subscribers beyond an event's first", now => now.Retried);
        Counts("retries_succeeded", "Owed events that were acknowledged", now => now.Succeeded);
        Counts("retries_abandoned", "Owed events that were parked, or ordinary ones given up by age",
            now => now.Abandoned);
        Gauge("retry_queue_size", "{event}", "Events that wait for another delivery", () => Subscribers().Retrying);
        Gauge("pending_events", "{event}", "Events owed to subscribers of open streams, each counted for each of them",
            () => Subscribers().Pending);
        Gauge("dead_letters", "{event}", "Dead letters of subscribers of open streams",
            () => Subscribers().DeadLetters);

        void Counts(string name, string meaning, Func<SubscriberFigures, long> of) =>
            Declare(_meter.CreateObservableCounter(Prefix + name, () => of(Subscribers()), "{event}", meaning),
                "counter");
    }

    private void DeclareProcess()
    {
        var begun = Environment.TickCount64;
        Gauge("process_uptime", "s", "Since the server was made", () => (Environment.TickCount64 - begun) / 1000);
        Declare(_meter.CreateObservableCounter(Prefix + "process_cpu",
            static () => Environment.CpuUsage.TotalTime.TotalSeconds, "s", "Processor time of the process"), "counter");
        Gauge("process_memory", "By", "Working set of the process", static () => Environment.WorkingSet);
        Gauge("gc_heap", "By", "Bytes in use on the managed heap", static () => GC.GetTotalMemory(false));
        Declare(_meter.CreateObservableCounter(Prefix + "gc_collections", static () => Enumerable
            .Range(0, GC.MaxGeneration + 1).Select(static generation => new Measurement<long>(
                GC.CollectionCount(generation), new KeyValuePair<string, object?>("generation", $"{generation}"))),
            "{collection}", "Garbage collections, each counted in its generation and those below"), "counter",
            "generation");
        Gauge("threadpool_threads", "{thread}", "Threads of the pool", static () => ThreadPool.ThreadCount);
        Gauge("threadpool_queue", "{item}", "What waits for a thread", static () => ThreadPool.PendingWorkItemCount);
    }

    private Counter<long> Counter(string name, string unit, string meaning, params string[] labels) =>
        Declare(_meter.CreateCounter<long>(Prefix + name, unit, meaning), "counter", labels);

    private void Observed(string name, string unit, string meaning, DeliveryTally tally, string label) =>
        Declare(_meter.CreateObservableCounter(Prefix + name, () => tally.Measure(label), unit, meaning), "counter",
            label);

    private void Grows(string name, string unit, string meaning, Func<ConnectionCounts, Tally> tally) =>
        Declare(_meter.CreateObservableCounter(Prefix + name, () => tally(Connections).Total, unit, meaning),
            "counter");

    private void Gauge(string name, string unit, string meaning, Func<long> now) =>
        Declare(_meter.CreateObservableGauge(Prefix + name, now, unit, meaning), "gauge");

    private Histogram<double> Seconds(string name, string meaning, params string[] labels) =>
        Histogram(name, "s", meaning, s_seconds, labels);

    private Histogram<double> Histogram(string name, string unit, string meaning, double[] bounds,
        params string[] labels) => Declare(_meter.CreateHistogram(Prefix + name, unit, meaning, tags: null,
            new InstrumentAdvice<double> { HistogramBucketBoundaries = bounds }), "histogram", labels);

    private T Declare<T>(T instrument, string kind, params string[] labels) where T : Instrument
    {
        _all.Add(new Metric(instrument, kind, labels));
        return instrument;
    }
}

/// <summary>One declared instrument.</summary>
/// <param name="Instrument">As a listener finds it: name, unit, meaning.</param>
/// <param name="Kind">counter, gauge or histogram.</param>
/// <param name="Labels">Its labels, in the order in which they are given.</param>
internal sealed record Metric(Instrument Instrument, string Kind, IReadOnlyList<string> Labels)
{
    /// <summary>As Prometheus calls it: with its unit, and <c>_total</c> for what only grows.</summary>
    public string PrometheusName { get; } =
        Instrument.Name.Replace('.', '_')
        + (Instrument.Unit switch
        {
            "s" => "_seconds",
            "By" when !Instrument.Name.EndsWith("_bytes", StringComparison.Ordinal) => "_bytes",
            _ => "",
        })
        + (Kind == "counter" ? "_total" : "");
}
