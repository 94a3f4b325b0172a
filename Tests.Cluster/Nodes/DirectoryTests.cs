using System.Globalization;
using OrleansEvents.Tests.Crash;
using OrleansEvents.Tests.Metrics;
using OrleansEvents.Tests.Storage;
using Xunit;

namespace OrleansEvents.Tests.Cluster.Nodes;

/// <summary>Who knows where a stream is, when one of those who know goes.</summary>
[Collection("Processes")]
public sealed class DirectoryTests(PostgresServer postgres)
{
    private const int OfEach = 20;

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task The_streams_of_other_nodes_stay_open_when_a_node_goes(bool gracefully)
    {
        await using var cluster = await ClusterUnderTest.Start(postgres, nodes: 3);
        var names = new List<string>();
        // A node that has just come is given none for a while.
        while (cluster.Nodes.Any(node => names.Count(node.HasOpened) < OfEach))
        {
            names.Add(string.Create(CultureInfo.InvariantCulture, $"s{names.Count}"));
            await Publish(names[^1], 1);
            await Given.Until(() => Task.FromResult(cluster.Nodes.Any(node => node.HasOpened(names[^1]))));
        }
        var others = names.Where(name => !cluster[2].HasOpened(name)).ToArray();

        if (gracefully) await cluster[2].Stop();
        else await cluster[2].Kill();
        for (var node = 0; node < 2; node++)
        {
            var seen = node;
            await Given.Until(async () => (await Look(seen))["nodes_alive"] is 2);
        }
        foreach (var name in names) await Publish(name, 2);

        Assert.DoesNotContain(others, name => cluster[0].HasClosed(name) || cluster[1].HasClosed(name));
        // Its own have moved, and each once.
        Assert.Equal(names.Count - others.Length, await Moved(0) + await Moved(1));
        foreach (var name in gracefully ? names : [.. others])
            Assert.Equal(Enumerable.Range(1, 2), await cluster.Numbers(1, name));

        // Ordinary: whoever closes without being asked to loses it.
        Task Publish(string name, int n) => Given.Until(async () => await cluster.Http.TrySendAsync(HttpMethod.Post,
            cluster[n % 2].Address, $"/api/streams/{name}/events", $$"""{"type":"tick","data":{{n}}}""")
            is { IsSuccess: true });

        async Task<double> Moved(int node) => await Look(node) is var seen
            ? seen["stream_moves_total{how=\"handed_over\"}"] + seen["stream_moves_total{how=\"taken_over\"}"] : 0;

        async Task<Scrape> Look(int node) =>
            Scrape.OfText(await cluster.Http.GetStringAsync(new Uri(cluster[node].Address, "/metrics")));
    }
}
