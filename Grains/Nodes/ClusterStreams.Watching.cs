using Orleans.Runtime;
using OrleansEvents.Grains.Interfaces;
using OrleansEvents.Streams;

namespace OrleansEvents.Grains.Nodes;

public sealed partial class ClusterStreams
{
    /// <summary>What a node that owns streams is called.</summary>
    public static string NameOf(SiloAddress silo) => silo.Endpoint.ToString();

    /// <summary>Streams of which this node keeps a copy.</summary>
    public int Followed => _replicas.Count;

    /// <summary>How far the copy is behind that is furthest behind, in events and in time.</summary>
    public TapLag WorstLag => _replicas.Values.Aggregate(default(TapLag),
        (worst, replica) => TapLag.Max(worst, replica.Lag));

    /// <summary>Says how this node stands. Throws what Orleans throws.</summary>
    /// <param name="report">What it says.</param>
    /// <param name="asked">Whom to ask more: a reference to what is held here.</param>
    public Task Report(NodeReport report, IAskedNode asked) => Nodes.Report(report, asked);

    /// <summary>How all nodes stand, by name.</summary>
    public async Task<Outcome<NodeStanding[]>> Standings() => await _context.Ask<NodeStanding[]>(
        async () => await Nodes.List());

    /// <summary>The node that has each of these streams open; null: none does, or it does not answer. No stream is
    /// opened for it: one question to each node.</summary>
    public async Task<Outcome<string?[]>> OwnersOf(string[] streams)
    {
        var asked = await _context.Ask<NodeReference[]>(async () => await Nodes.Owners());
        if (asked.Refusal is { } refused) return refused;
        var owners = new string?[streams.Length];
        foreach (var (node, places) in await Task.WhenAll(asked.Value!.Select(each => Ask(each, streams))))
            foreach (var place in places) owners[place] = node;
        return owners;
    }

    private INodesGrain Nodes => _context.Grains.GetGrain<INodesGrain>(0);

    private static async Task<(string Node, int[] Places)> Ask(NodeReference node, string[] streams)
    {
        try
        {
            return (node.Node, await node.Asked.Owned(streams));
        }
        catch (Exception e) when (e is OrleansException or TimeoutException)
        {
            return (node.Node, []);
        }
    }
}
