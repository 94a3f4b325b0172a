using OrleansEvents.Api.Endpoints;
using OrleansEvents.Grains.Nodes;
using OrleansEvents.Streams;

namespace OrleansEvents.Silo;

/// <summary>Asks the cluster for what operators want to know.</summary>
internal sealed class ClusterOverview(NodeName name, ClusterStreams streams) : IClusterOverview
{
    public string Node => name.Text;

    public async Task<Outcome<IReadOnlyList<NodeFigures>>> Nodes()
    {
        var asked = await streams.Standings();
        return asked.Refusal is { } refused ? refused
            : Outcome.Of<IReadOnlyList<NodeFigures>>([.. asked.Value!.Select(each => new NodeFigures(each.Node,
                each.State, each.Report is not { } said ? null : new(said.IsEdge ? "edge" : "node", said.Version,
                    said.SinceMs, each.SeenMs, said.Streams, said.Subscribers, said.Followed, said.Connections)))]);
    }

    public Task<Outcome<string?[]>> OwnersOf(string[] names) => streams.OwnersOf(names);
}

/// <summary>What this node is called: a silo by its address, an edge by its machine and process.</summary>
internal sealed record NodeName(string Text, bool IsEdge);
