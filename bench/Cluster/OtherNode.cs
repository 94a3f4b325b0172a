using System.Diagnostics;
using System.Globalization;
using OrleansEvents.Durable;

namespace OrleansEvents.Cluster;

/// <summary>A second node, in a process of its own: it is given work on its input, a line each, and answers with a
/// JSON line.</summary>
internal sealed class OtherNode(Process process) : IAsyncDisposable
{
    public const string Argument = "other";

    /// <summary>Asks for its microseconds until now.</summary>
    public const string Cpu = "cpu";

    private const string Ready = "ready";

    /// <summary>Starts it, and waits until it has joined.</summary>
    public static async Task<OtherNode> Start(string connection)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath!)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        };
        foreach (var argument in (string[])[typeof(OtherNode).Assembly.Location, Argument, connection])
            start.ArgumentList.Add(argument);
        var other = new OtherNode(Process.Start(start)!);
        await other.Says(Ready);
        return other;
    }

    /// <summary>Gives it work.</summary>
    public async Task Begin(string work)
    {
        await process.StandardInput.WriteLineAsync(work);
        await process.StandardInput.FlushAsync();
    }

    /// <summary>Gives it work, and waits for its answer.</summary>
    public async Task<string> Do(string work)
    {
        await Begin(work);
        return await Answer();
    }

    /// <summary>Its next answer; how far its reader is, which it says unasked, is told on the way.</summary>
    public async Task<string> Answer(Action<long>? at = null)
    {
        while (true)
        {
            var line = await process.StandardOutput.ReadLineAsync()
                ?? throw new InvalidOperationException("The other node has ended.");
            if (!line.StartsWith(TapReading.At, StringComparison.Ordinal)) return line;
            at?.Invoke(long.Parse(line.AsSpan(TapReading.At.Length), CultureInfo.InvariantCulture));
        }
    }

    public async Task Says(string word)
    {
        while (await Answer() != word)
        {
        }
    }

    public async ValueTask DisposeAsync()
    {
        process.StandardInput.Close();
        await process.WaitForExitAsync();
        process.Dispose();
    }

    /// <summary>Is that node.</summary>
    public static async IAsyncEnumerable<string> Serve(string connection)
    {
        await using var node = await NodeHere.Start(connection);
        yield return Ready;
        TapReading? reading = null;
        while (await Console.In.ReadLineAsync() is { } line)
        {
            switch (line.Split(' '))
            {
                case ["publish", var callers, var events, var seconds, var critical, var prefix, var streams]:
                    yield return ClusterHost.Json($"{await Publish(node, callers, events, seconds, critical, prefix,
                        streams):F0}");
                    break;
                case [Cpu]:
                    yield return ClusterHost.Json($"{OwnerWork.Cpu:F0}");
                    break;
                case ["follow", var stream]:
                    reading = await TapReading.On(node, stream);
                    yield return Ready;
                    break;
                case ["read", var seconds]:
                    yield return await reading!.During(TimeSpan.FromSeconds(ClusterHost.Number(seconds)));
                    break;
            }
        }
        reading?.Dispose();
    }

    private static Task<double> Publish(NodeHere node, string callers, string events, string seconds, string critical,
        string prefix, string streams) => OwnerWork.Rate(node, OwnerWork.Names(prefix, ClusterHost.Number(streams)),
        ClusterHost.Number(callers), ClusterHost.Number(events), ClusterHost.Number(seconds), bool.Parse(critical));
}
