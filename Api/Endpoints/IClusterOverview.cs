using OrleansEvents.Streams;

namespace OrleansEvents.Api.Endpoints;

/// <summary>What a node of a cluster can tell of all; not registered in the server of one process.</summary>
internal interface IClusterOverview
{
    /// <summary>The name of the node that answers.</summary>
    string Node { get; }

    /// <summary>All nodes by name.</summary>
    Task<Outcome<IReadOnlyList<NodeFigures>>> Nodes();

    /// <summary>The node that has each of these streams open, or null: no stream is opened for it.</summary>
    Task<Outcome<string?[]>> OwnersOf(string[] names);
}

/// <summary>A node as operators see it.</summary>
internal sealed record NodeFigures(string Node, string State, NodeWord? Said);

/// <summary>What a node said of itself lately.</summary>
internal sealed record NodeWord(string Role, string Version, long SinceMs, long SeenMs, int Streams, int Subscribers,
    int Followed, int Connections);
