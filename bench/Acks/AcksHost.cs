using System.Diagnostics;
using System.Globalization;
using OrleansEvents.Client;

namespace OrleansEvents.Acks;

/// <summary>
/// Reads the same critical events by the .NET client: anonymously, and on behalf of subscribers that acknowledge each
/// of them, with two bounds of what may be in flight. Prints a JSON line for each.
/// </summary>
internal static class AcksHost
{
    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(10);

    public static async Task<int> Main(string[] args)
    {
        if (args is not [var server, var stream, var events, var readers, var process])
        {
            await Console.Error.WriteLineAsync("acks SERVER STREAM EVENTS READERS PROCESS");
            return 2;
        }
        var culture = CultureInfo.InvariantCulture;
        var serverProcess = Process.GetProcessById(int.Parse(process, culture));
        var (count, at) = (int.Parse(events, culture), int.Parse(readers, culture));
        // Until then the compiler's.
        for (var (watch, pass) = (Stopwatch.StartNew(), 0); watch.Elapsed < WarmUp; pass++)
            await Pass(new Uri(server), $"{stream}.warm{pass}", count, at, serverProcess);
        (await Pass(new Uri(server), stream, count, at, serverProcess)).ForEach(Console.WriteLine);
        return 0;
    }

    private static async Task<List<string>> Pass(
        Uri address, string stream, int events, int readers, Process server)
    {
        using var reading = new CriticalReading(address, stream, events);
        await reading.Prepare(readers);
        var rows = new List<string> { await Measure(reading.Anonymously, "anonymous", events, readers, server) };
        foreach (var inFlight in CriticalReading.InFlight)
            rows.Add(await Measure(
                number => reading.Acknowledging(number, inFlight), $"acks-{inFlight}", events, readers, server));
        await reading.Remove();
        return rows;
    }

    private static async Task<string> Measure(
        Func<int, Task> read, string name, int events, int readers, Process server)
    {
        using var self = Process.GetCurrentProcess();
        var (before, serverBefore) = (Used(self), Used(server));
        var watch = Stopwatch.StartNew();
        await Task.WhenAll(Enumerable.Range(0, readers).Select(number => Task.Run(() => read(number))));
        var seconds = watch.Elapsed.TotalSeconds;
        var million = events * (double)readers / 1e6;
        var (own, its) = ((Used(self) - before) / million, (Used(server) - serverBefore) / million);
        return string.Create(CultureInfo.InvariantCulture,
            $"{{\"name\":\"{name}\",\"readers\":{readers},\"events\":{(long)events * readers},"
            + $"\"events_per_s\":{events * (double)readers / seconds:F0},"
            + $"\"client_s_per_m\":{own:F2},\"server_s_per_m\":{its:F2}}}");
    }

    private static double Used(Process process)
    {
        process.Refresh();
        return process.TotalProcessorTime.TotalSeconds;
    }
}
