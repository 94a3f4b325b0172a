using Orleans.Concurrency;
using Orleans.Runtime;
using OrleansEvents.Grains.Interfaces;
using OrleansEvents.Streams;

namespace OrleansEvents.Grains.Nodes;

/// <summary>Keeps what nodes said of themselves beside what this one's silo knows of the cluster's members.</summary>
[Reentrant]
[GrainType("nodes")]
internal sealed class NodesGrain(ISiloStatusOracle silos, StreamGrainContext context) : Grain, INodesGrain
{
    private const int MostNodes = 1000;

    /// <summary>A node's word holds for so many of its periods.</summary>
    private const int Periods = 5;

    private readonly Dictionary<string, (NodeReport Report, IAskedNode Asked, Instant Seen)> _said =
        new(StringComparer.Ordinal);

    public Task Report(NodeReport report, IAskedNode node)
    {
        Forget();
        if (_said.Count < MostNodes || _said.ContainsKey(report.Node))
            _said[report.Node] = (report, node, context.Now);
        return Task.CompletedTask;
    }

    public Task<NodeStanding[]> List()
    {
        Forget();
        var all = new SortedDictionary<string, NodeStanding>(StringComparer.Ordinal);
        // At one address the newest counts: those before it are dead.
        foreach (var (silo, status) in silos.GetApproximateSiloStatuses().OrderBy(each => each.Key.Generation))
        {
            var name = ClusterStreams.NameOf(silo);
            if (StateOf(status) is { } state) all[name] = new(name, state, null, 0);
        }
        foreach (var (name, said) in _said)
        {
            var state = all.TryGetValue(name, out var member) ? member.State : said.Report.IsEdge ? "active" : "dead";
            if (state != "dead") all[name] = new(name, state, said.Report, said.Seen.UnixMs);
        }
        return Task.FromResult(all.Values.Take(MostNodes).ToArray());
    }

    public Task<NodeReference[]> Owners()
    {
        Forget();
        var alive = silos.GetApproximateSiloStatuses().Where(each => !each.Value.IsTerminating())
            .Select(each => ClusterStreams.NameOf(each.Key)).ToHashSet(StringComparer.Ordinal);
        return Task.FromResult(_said.Values.Where(each => !each.Report.IsEdge && alive.Contains(each.Report.Node))
            .Select(each => new NodeReference(each.Report.Node, each.Asked)).ToArray());
    }

    private static string? StateOf(SiloStatus status) => status switch
    {
        SiloStatus.Created or SiloStatus.Joining => "joining",
        SiloStatus.Active => "active",
        SiloStatus.ShuttingDown or SiloStatus.Stopping => "leaving",
        SiloStatus.Dead => "dead",
        _ => null,
    };

    private void Forget()
    {
        var now = context.Now;
        foreach (var (name, said) in _said.ToList())
            if (now.Ms - said.Seen.Ms > said.Report.Period.TotalMilliseconds * Periods) _said.Remove(name);
    }
}
