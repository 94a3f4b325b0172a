using System.Diagnostics.Metrics;
using OrleansEvents.Streams;

namespace OrleansEvents.Api.Metrics;

/// <summary>What only a node of a cluster has; 0 in the server of one process.</summary>
internal sealed partial class ServerMeter
{
    // What is asked for when somebody looks; set by who knows.
    public ClusterCounts Cluster { private get; set; } = new();
    public Func<long> NodesAlive { private get; set; } = static () => 0;
    public Func<long> StreamsFollowed { private get; set; } = static () => 0;
    public Func<TapLag> WorstTapLag { private get; set; } = static () => default;

    private void DeclareCluster()
    {
        Gauge("nodes_alive", "{node}", "Nodes of the cluster, as this one sees it; to an edge, those that it reaches",
            () => NodesAlive());
        Declare(_meter.CreateObservableCounter(Prefix + "grain_activations", () => By("of",
                ("stream", Cluster[ClusterCount.StreamActivations]),
                ("subscriber", Cluster[ClusterCount.SubscriberActivations])),
            "{grain}", "Owners of streams and of subscribers that began to live on this node"), "counter", "of");
        Declare(_meter.CreateObservableCounter(Prefix + "grain_deactivations", LeftByReason, "{grain}",
            "Owners that ceased to live on this node: idle, shutdown, moved, fenced, other"), "counter", "of",
            "reason");
        Declare(_meter.CreateObservableCounter(Prefix + "stream_moves", () => By("how",
                ("handed_over", Cluster[ClusterCount.HandedOver]), ("taken_over", Cluster[ClusterCount.TakenOver])),
            "{stream}", "Streams opened here that another process had: closed by it, or lost with it"), "counter",
            "how");
        Declare(_meter.CreateObservableCounter(Prefix + "fencing_refusals", () => By("of",
                ("stream", Cluster[ClusterCount.StreamsFenced]),
                ("subscriber", Cluster[ClusterCount.SubscribersFenced])),
            "{owner}", "Owners whose write storage refused here, because they have another owner by now"), "counter",
            "of");
        Declare(_meter.CreateObservableCounter(Prefix + "owner_publishes", () => By("through",
                ("this_node", Cluster[ClusterCount.PublishedHere]),
                ("another_node", Cluster[ClusterCount.PublishedElsewhere])),
            "{publish}", "Publishes to streams that this node owns, by the node that passed them on"), "counter",
            "through");
        DeclareTaps();
    }

    private void DeclareTaps()
    {
        Declare(_meter.CreateObservableGauge(Prefix + "taps", () => By("at",
                ("owner", Cluster[ClusterCount.TapsOfOwner]), ("reader", StreamsFollowed())),
            "{tap}", "Taps: on the streams that this node owns, and the copies that it keeps for its readers"),
            "gauge", "at");
        Gauge("tap_lag_events", "{event}", "How far that copy is behind its owner that is furthest behind",
            () => WorstTapLag().Events);
        Declare(_meter.CreateObservableGauge(Prefix + "tap_lag", () => WorstTapLag().Ms / 1000.0, "s",
            "For how long the copy has been behind its owner, or without its answer, that has been for longest"),
            "gauge");
        Declare(_meter.CreateObservableCounter(Prefix + "taps_reattached",
            () => Cluster[ClusterCount.TapsReattached], "{tap}",
            "Copies that found their stream opened again, on whichever node"), "counter");
        Declare(_meter.CreateObservableCounter(Prefix + "pushes_missed",
            () => Cluster[ClusterCount.PushesMissed], "{push}",
            "Times that a copy missed what its owner pushed, and read it from there"), "counter");
    }

    private IEnumerable<Measurement<long>> LeftByReason() => Enum.GetValues<LeavingReason>().SelectMany(reason =>
    {
        var why = new KeyValuePair<string, object?>("reason", reason.ToString().ToLowerInvariant());
        return new Measurement<long>[]
        {
            new(Cluster.StreamsLeft(reason), new("of", "stream"), why),
            new(Cluster.SubscribersLeft(reason), new("of", "subscriber"), why),
        };
    });

    private static IEnumerable<Measurement<long>> By(string label, params (string Value, long Count)[] all) =>
        all.Select(each => new Measurement<long>(each.Count, new KeyValuePair<string, object?>(label, each.Value)));
}
