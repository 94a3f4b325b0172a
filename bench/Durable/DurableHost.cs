using System.Diagnostics;

namespace OrleansEvents.Durable;

/// <summary>Durable events a second without a server around them. Prints one JSON line.</summary>
internal static class DurableHost
{
    private const int EventBytes = 384;

    public static async Task<int> Main(string[] args)
    {
        if (args is not ["transaction", var publishers, var seconds, var folder])
        {
            await Console.Error.WriteLineAsync("durable transaction PUBLISHERS SECONDS FOLDER");
            return 2;
        }

        using var table = new TransactionPerEvent(folder);
        var work = new ClosedLoop(int.Parse(publishers), TimeSpan.FromSeconds(int.Parse(seconds)));
        var rate = work.Run(table.Append, new byte[EventBytes]);
        var cpu = Process.GetCurrentProcess().TotalProcessorTime.TotalSeconds;
        Console.WriteLine($"{{\"publishers\":{publishers},\"answered_per_s\":{rate:F1},\"own_cpu_s\":{cpu:F2}}}");
        return 0;
    }
}
