using System.Text.Json;
using OrleansEvents.Tests.Crash;
using OrleansEvents.Tests.Metrics;
using OrleansEvents.Tests.Reading;
using OrleansEvents.Tests.Storage;
using Xunit;

namespace OrleansEvents.Tests.Cluster.Nodes;

/// <summary>What operators see of a cluster of processes.</summary>
public sealed class OverviewTests(PostgresServer postgres)
{
    [Fact]
    public async Task Every_node_names_the_owner_of_each_stream_before_and_after_it_is_killed()
    {
        await using var cluster = await ClusterUnderTest.Start(postgres, 2, "--Cluster:ReportEvery", "0.2");
        var (first, second) = (await NameOf(cluster, 0), await NameOf(cluster, 1));
        Assert.NotEqual(first, second);
        var (here, there) = (await cluster.StreamOwnedBy(0), await cluster.StreamOwnedBy(1));
        var left = await cluster.StreamOwnedBy(1);
        for (var node = 0; node < 2; node++)
        {
            var asked = node;
            await Given.Until(async () =>
                (await OwnersSeenBy(cluster, asked)).Count(each => each.Value is not null) > 2);
            var owners = await OwnersSeenBy(cluster, node);
            Assert.Equal((first, second, second), (owners[here], owners[there], owners[left]));
            Assert.Equal(second, await OwnerIn(cluster, node, there));
        }
        var before = await Look(cluster, 0);
        Assert.Equal(2, before["nodes_alive"]);
        Assert.Equal((await OwnersSeenBy(cluster, 0)).Values.Count(each => each == first), before["streams_open"]);
        Assert.Equal(0, before["stream_moves_total{how=\"taken_over\"}"]);

        await cluster[1].Kill();
        await cluster.Publish(0, there, 1);

        Assert.Equal(first, await OwnerIn(cluster, 0, there));
        // What nodes said may have been lost with the other node, and is said again.
        await Given.Until(async () => (await OwnersSeenBy(cluster, 0))[there] == first);
        // To be listed opens nothing.
        Assert.Null((await OwnersSeenBy(cluster, 0))[left]);
        Assert.Equal("dead", (await StandingsSeenBy(cluster, 0))[second].GetProperty("state").GetString());
        var look = await Look(cluster, 0);
        Assert.Equal((1, 1), (look["nodes_alive"], look["stream_moves_total{how=\"taken_over\"}"]));
    }

    [Fact]
    public async Task Nodes_and_edges_are_listed_with_their_role_state_and_figures()
    {
        await using var cluster = await ClusterUnderTest.Start(postgres, 1, "--Cluster:ReportEvery", "0.2");
        await cluster.Add("--role", "edge");
        var (node, edge) = (await NameOf(cluster, 0), await NameOf(cluster, 1));
        await cluster.Publish(1, "watched", 1);
        await using var reader = await SseReader.Open(cluster[1].Address,
            "/api/streams/watched/events?after=0&subscriber=billing");
        await reader.Next(name: null);

        var owned = (await OwnersSeenBy(cluster, 1)).Values.Count(each => each == node);
        Assert.True(owned > 0);
        await Given.Until(async () => await Figures(edge) == "edge active 0 0 1 1"
            && await Figures(node) == $"node active {owned} 1 0 0");
        Assert.Equal([node, edge], (await StandingsSeenBy(cluster, 1)).Keys.Where(each => each == node || each == edge)
            .OrderBy(each => each == edge));
        Assert.Equal(1, (await Look(cluster, 1))["taps{at=\"reader\"}"]);
        var owner = await Look(cluster, 0);
        Assert.True(owner["owner_publishes_total{through=\"another_node\"}"] >= 1);
        Assert.Equal((1, 1), (owner["grain_activations_total{of=\"subscriber\"}"], owner["taps{at=\"owner\"}"]));

        async Task<string> Figures(string name)
        {
            var all = await StandingsSeenBy(cluster, 0);
            return all.TryGetValue(name, out var one) && one.TryGetProperty("role", out var role)
                ? $"{role} {one.GetProperty("state")} {one.GetProperty("streams")} {one.GetProperty("subscribers")} "
                    + $"{one.GetProperty("followed")} {one.GetProperty("connections")}"
                : "";
        }
    }

    private static async Task<string> NameOf(ClusterUnderTest cluster, int node) =>
        (await Get(cluster, node, "/api/admin/nodes")).GetProperty("node").GetString()!;

    private static async Task<string?> OwnerIn(ClusterUnderTest cluster, int node, string stream) =>
        (await Get(cluster, node, $"/api/streams/{stream}")).GetProperty("node").GetString();

    private static async Task<Dictionary<string, string?>> OwnersSeenBy(ClusterUnderTest cluster, int node) =>
        (await Get(cluster, node, "/api/admin/streams?limit=1000")).GetProperty("streams").EnumerateArray()
            .ToDictionary(each => each.GetProperty("stream").GetString()!,
                each => each.TryGetProperty("node", out var owner) ? owner.GetString() : null);

    private static async Task<Dictionary<string, JsonElement>> StandingsSeenBy(ClusterUnderTest cluster, int node) =>
        (await Get(cluster, node, "/api/admin/nodes")).GetProperty("nodes").EnumerateArray()
            .ToDictionary(each => each.GetProperty("node").GetString()!);

    private static async Task<JsonElement> Get(ClusterUnderTest cluster, int node, string path)
    {
        var answer = await cluster.Http.GetAsync(cluster[node].Address, path);
        Assert.True(answer.IsSuccess, $"{path}: {answer}");
        return answer.Json;
    }

    private static async Task<Scrape> Look(ClusterUnderTest cluster, int node) =>
        Scrape.OfText(await cluster.Http.GetStringAsync(new Uri(cluster[node].Address, "/metrics")));
}
