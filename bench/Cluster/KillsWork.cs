using System.Diagnostics;

namespace OrleansEvents.Cluster;

/// <summary>Kills one of three nodes under load, again and again: from the kill until each of its streams has taken a
/// publish that began after it, through a node that lives.</summary>
internal sealed class KillsWork(string connection)
{
    private const int Streams = 8;

    public async IAsyncEnumerable<string> Run(int times)
    {
        await using var nodes = new Nodes(connection);
        await nodes.Start(3);
        for (var kill = 1; kill <= times; kill++)
        {
            var victim = 1 + kill % 2;
            yield return await Kill(nodes, kill, victim);
            await nodes.Replace(victim);
        }
    }

    private static async Task<string> Kill(Nodes nodes, int kill, int victim)
    {
        var streams = await nodes.StreamsOwnedBy(victim, $"kill.{kill}", Streams);
        var publishers = Array.ConvertAll(streams, stream => new HttpPublisher(nodes.Http, stream, _ => nodes[0]));
        while (publishers.Any(each => each.Last < 10)) await Task.Delay(10);

        var killed = nodes.Kill(victim);
        var moment = Stopwatch.GetTimestamp();
        await killed;
        while (publishers.Any(each => each.AgainAfter(moment) is null)) await Task.Delay(10);
        foreach (var publisher in publishers) await publisher.End();
        var after = publishers.Select(each => each.AgainAfter(moment)!.Value.TotalMilliseconds).Order().ToArray();
        var (retried, failed) = (publishers.Sum(each => each.Retried), publishers.Sum(each => each.Failed));
        return ClusterHost.Json($"{{\"kill\":{kill},\"streams\":{Streams},\"median_ms\":{after[Streams / 2]:F0},")
            + ClusterHost.Json($"\"worst_ms\":{after[^1]:F0},\"retried\":{retried},\"failed\":{failed}}}");
    }
}
