using System.Diagnostics;

namespace OrleansEvents.Cluster;

/// <summary>Stops one of three nodes under load, again and again, as a rolling restart does: for how long its streams
/// answer nobody, what publishers and readers notice. Half of the streams are published to through the node that
/// stops, and again, once, through another.</summary>
internal sealed class HandoverWork(string connection)
{
    private const int Streams = 16;
    private const int Followed = 4;

    private static readonly TimeSpan Quiet = TimeSpan.FromSeconds(1);

    public async IAsyncEnumerable<string> Run(int times)
    {
        await using var nodes = new Nodes(connection);
        await nodes.Start(3);
        for (var stop = 1; stop <= times; stop++)
        {
            var victim = 1 + stop % 2;
            yield return await Stop(nodes, stop, victim);
            await nodes.Replace(victim);
        }
    }

    private static async Task<string> Stop(Nodes nodes, int stop, int victim)
    {
        var streams = await nodes.StreamsOwnedBy(victim, $"stop.{stop}", Streams);
        var stops = false;
        var publishers = streams.Select((stream, i) => new HttpPublisher(nodes.Http, stream,
            tries => nodes[i % 2 == 0 || stops || tries > 1 ? 0 : victim])).ToArray();
        var readers = streams.Take(Followed).SelectMany(stream => new[] { 0, victim }.Select(node =>
            new HttpReader(nodes.Http, stream, tries => nodes[tries > 1 ? 0 : node]))).ToArray();
        while (publishers.Any(each => each.Last < 10)) await Task.Delay(10);

        var begun = Stopwatch.GetTimestamp();
        await Task.Delay(Quiet);
        var told = Stopwatch.GetTimestamp();
        var stopping = nodes.Stop(victim);
        await stopping;
        stops = true;
        await Task.Delay(Quiet);
        var over = Stopwatch.GetTimestamp();
        foreach (var publisher in publishers) await publisher.End();
        var missing = 0;
        for (var i = 0; i < readers.Length; i++)
        {
            missing += await readers[i].End(publishers[i / 2].Last);
            readers[i].Dispose();
        }

        var silences = publishers.Select(each => each.Silence(told, over).TotalMilliseconds).Order().ToArray();
        var quiet = publishers.Max(each => each.Silence(begun, told).TotalMilliseconds);
        return ClusterHost.Json($"{{\"stop\":{stop},\"streams\":{Streams},\"median_ms\":{silences[Streams / 2]:F0},")
            + ClusterHost.Json($"\"worst_ms\":{silences[^1]:F0},\"quiet_ms\":{quiet:F0},")
            + ClusterHost.Json($"\"retried\":{publishers.Sum(each => each.Retried)},")
            + ClusterHost.Json($"\"failed\":{publishers.Sum(each => each.Failed)},")
            + ClusterHost.Json($"\"gaps\":{readers.Sum(each => each.Gaps)},\"missing\":{missing}}}");
    }
}
