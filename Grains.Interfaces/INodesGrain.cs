namespace OrleansEvents.Grains.Interfaces;

/// <summary>
/// What all nodes of the cluster say of themselves, for operators; one grain, its key is 0. It holds only what the
/// nodes said in the last seconds: where it begins anew, they say it again.
/// </summary>
[Alias("OrleansEvents.INodesGrain")]
public interface INodesGrain : IGrainWithIntegerKey
{
    /// <summary>Takes a node's word, which holds for some of its periods. Beyond 1,000 nodes one is not kept.</summary>
    /// <param name="report">What it says.</param>
    /// <param name="node">Whom to ask more.</param>
    [Alias("Report"), ResponseTimeout("00:00:02")]
    Task Report(NodeReport report, IAskedNode node);

    /// <summary>All nodes by name: those that are members of the cluster, and the edges that spoke lately.</summary>
    [Alias("List"), ResponseTimeout("00:00:02")]
    Task<NodeStanding[]> List();

    /// <summary>The nodes that own streams and spoke lately, to be asked.</summary>
    [Alias("Owners"), ResponseTimeout("00:00:02")]
    Task<NodeReference[]> Owners();
}

/// <summary>A node that can be asked what it owns.</summary>
[Alias("OrleansEvents.IAskedNode")]
public interface IAskedNode : IGrainObserver
{
    /// <summary>Which of these streams are open here: their places in the list.</summary>
    [Alias("Owned"), ResponseTimeout("00:00:01")]
    Task<int[]> Owned(string[] streams);
}

/// <summary>What a node says of itself.</summary>
/// <param name="Node">Its name: a silo's address and port, or what an edge calls itself.</param>
/// <param name="IsEdge">Whether it owns nothing.</param>
/// <param name="Version">Of the program.</param>
/// <param name="SinceMs">When it began, Unix milliseconds.</param>
/// <param name="Streams">Streams that it owns, open ones.</param>
/// <param name="Subscribers">Subscribers that are loaded there.</param>
/// <param name="Followed">Streams of which it keeps a copy for its readers.</param>
/// <param name="Connections">Open connections of readers.</param>
/// <param name="Period">How often it speaks.</param>
[GenerateSerializer, Immutable, Alias("OrleansEvents.NodeReport")]
public sealed record NodeReport(
    [property: Id(0)] string Node,
    [property: Id(1)] bool IsEdge,
    [property: Id(2)] string Version,
    [property: Id(3)] long SinceMs,
    [property: Id(4)] int Streams,
    [property: Id(5)] int Subscribers,
    [property: Id(6)] int Followed,
    [property: Id(7)] int Connections,
    [property: Id(8)] TimeSpan Period);

/// <summary>How a node stands.</summary>
/// <param name="Node">Its name.</param>
/// <param name="State"><c>joining</c>, <c>active</c>, <c>leaving</c>, <c>dead</c>.</param>
/// <param name="Report">What it said last, if it did lately.</param>
/// <param name="SeenMs">When it said so, Unix milliseconds.</param>
[GenerateSerializer, Immutable, Alias("OrleansEvents.NodeStanding")]
public sealed record NodeStanding(
    [property: Id(0)] string Node,
    [property: Id(1)] string State,
    [property: Id(2)] NodeReport? Report,
    [property: Id(3)] long SeenMs);

/// <summary>A node, and how it is asked.</summary>
[GenerateSerializer, Immutable, Alias("OrleansEvents.NodeReference")]
public sealed record NodeReference([property: Id(0)] string Node, [property: Id(1)] IAskedNode Asked);
