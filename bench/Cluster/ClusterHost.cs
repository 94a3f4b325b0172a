using System.Globalization;

namespace OrleansEvents.Cluster;

/// <summary>What the cluster's nodes do for those who publish and read, and what they cost. Each work prints JSON
/// lines.</summary>
internal static class ClusterHost
{
    private const string Usage = """
        cluster kills CONNECTION TIMES            how long the streams of a node that is killed take no publishes
        cluster handover CONNECTION TIMES         the same for a node that is stopped, with what its readers miss
        cluster tap CONNECTION SECONDS            events a second from a stream's owner to another node, and latency
        cluster publish CONNECTION SECONDS TIMES  publishing through a stream's owner and through another node
        cluster durable CONNECTION SECONDS STREAMS  critical events, 256 callers on another node
        cluster grains CONNECTION create|open COUNT  idle streams of one node: how fast they open, and their memory
        cluster grains CONNECTION alone COUNT     the same with the streams' log in memory
        cluster grains CONNECTION empty COUNT     the same with grains that hold and do nothing
        """;

    public static async Task<int> Main(string[] args)
    {
        var lines = args switch
        {
            ["kills", var connection, var times] => new KillsWork(connection).Run(Number(times)),
            ["handover", var connection, var times] => new HandoverWork(connection).Run(Number(times)),
            ["tap", var connection, var seconds] => OwnerWork.Tap(connection, Number(seconds)),
            ["publish", var connection, var seconds, var times] =>
                OwnerWork.Publish(connection, Number(seconds), Number(times)),
            ["durable", var connection, var seconds, var streams] =>
                OwnerWork.Durable(connection, Number(seconds), Number(streams)),
            ["grains", var connection, var how and ("create" or "open" or "alone" or "empty"), var count] =>
                GrainsWork.Run(connection, how, Number(count)),
            [OtherNode.Argument, var connection] => OtherNode.Serve(connection),
            _ => null,
        };
        if (lines is null)
        {
            await Console.Error.WriteLineAsync(Usage);
            return 2;
        }
        await foreach (var line in lines) Console.WriteLine(line);
        return 0;
    }

    public static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);

    /// <summary>A JSON line with invariant numbers.</summary>
    public static string Json(FormattableString line) => FormattableString.Invariant(line);
}
