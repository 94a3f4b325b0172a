using System.Text.Json;
using Microsoft.AspNetCore.Mvc;
using OrleansEvents.Api.Http;
using OrleansEvents.Api.Problems;
using OrleansEvents.Api.Sse;
using OrleansEvents.Streams;

namespace OrleansEvents.Api.Endpoints;

/// <summary>What operators look at of a cluster: its nodes, and which of them owns which stream. The server of one
/// process has no nodes to name.</summary>
internal static class ClusterAdmin
{
    public static async Task Nodes(HttpContext http, [FromServices] IClusterOverview? cluster, Operations operations)
    {
        var nodes = cluster is null
            ? Outcome.Of<IReadOnlyList<NodeFigures>>([])
            : await operations.LimitSimple(new ValueTask<Outcome<IReadOnlyList<NodeFigures>>>(cluster.Nodes()),
                "list_nodes");
        if (nodes.Refusal is { } refusal) await Problem.Write(http, refusal);
        else await JsonAnswer.Write(http, StatusCodes.Status200OK, (cluster?.Node, nodes.Value!), WriteNodes);
    }

    public static async Task Streams(HttpContext http, IEventStreams streams, [FromServices] IClusterOverview? cluster,
        Operations operations)
    {
        var query = new QueryReader(http.Request.Query);
        var (limit, prefix, after) = (query.Integer("limit", 1, 1000) ?? 100, query.Text("prefix") ?? "",
            query.Text("after"));
        var listed = query.Refusal is { } bad ? bad
            : await operations.LimitSimple(Owned(streams, cluster, prefix, after, limit), "list_owners");
        if (listed.Refusal is { } refusal) await Problem.Write(http, refusal);
        else await JsonAnswer.Write(http, StatusCodes.Status200OK, listed.Value!, WriteStreams);
    }

    private static async ValueTask<Outcome<OwnedPage>> Owned(IEventStreams streams, IClusterOverview? cluster,
        string prefix, string? after, int limit)
    {
        var listed = await streams.List(prefix, after, limit);
        if (listed.Refusal is { } refused) return refused;
        var page = listed.Value!;
        if (cluster is null) return new OwnedPage(page, new string?[page.Streams.Count]);
        var owners = await cluster.OwnersOf([.. page.Streams.Select(each => each.Name)]);
        return owners.Refusal is { } unknown ? unknown : new OwnedPage(page, owners.Value!);
    }

    private static void WriteNodes(Utf8JsonWriter json, (string? Node, IReadOnlyList<NodeFigures> All) nodes)
    {
        if (nodes.Node is { } own) json.WriteString("node", own);
        json.WriteStartArray("nodes");
        foreach (var node in nodes.All)
        {
            json.WriteStartObject();
            json.WriteString("node", node.Node);
            json.WriteString("state", node.State);
            if (node.Said is { } said)
            {
                json.WriteString("role", said.Role);
                json.WriteString("version", said.Version);
                json.WriteString("since", StreamJson.TimeText(said.SinceMs));
                json.WriteString("seen", StreamJson.TimeText(said.SeenMs));
                json.WriteNumber("streams", said.Streams);
                json.WriteNumber("subscribers", said.Subscribers);
                json.WriteNumber("followed", said.Followed);
                json.WriteNumber("connections", said.Connections);
            }
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }

    private static void WriteStreams(Utf8JsonWriter json, OwnedPage page)
    {
        json.WriteStartArray("streams");
        foreach (var (stream, node) in page.Page.Streams.Zip(page.Owners))
        {
            json.WriteStartObject();
            json.WriteString("stream", stream.Name);
            if (node is not null) json.WriteString("node", node);
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.WriteBoolean("more", page.Page.More);
    }

    /// <summary>Streams, and the node that owns each.</summary>
    private sealed record OwnedPage(StreamPage Page, string?[] Owners);
}
