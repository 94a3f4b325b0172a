using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json;

namespace OrleansEvents.Subscribers;

/// <summary>
/// The server as a process of its own on the first core, with what <see cref="MemoryWork"/> left: until it is ready,
/// until every subscriber has been asked for what it is owed, and then its processor time while nothing happens but
/// heartbeats.
/// </summary>
internal static class RestartWork
{
    private const int Connections = 1000;
    private static readonly TimeSpan Idle = TimeSpan.FromSeconds(8);

    public static async Task<string> Run(Uri address, string dll, int streams, string folder)
    {
        using var http = new HttpClient { BaseAddress = address, Timeout = TimeSpan.FromMinutes(1) };
        var watch = Stopwatch.StartNew();
        using var server = Process.Start(new ProcessStartInfo("taskset",
            ["-c", "0", "dotnet", dll, "--urls", address.ToString(), "--data", folder])
        {
            RedirectStandardOutput = true,
            WorkingDirectory = Path.GetTempPath(),
        })!;
        server.OutputDataReceived += static (_, _) => { };
        server.BeginOutputReadLine();
        try
        {
            while (!await IsReady(http)) await Task.Delay(5);
            var ready = watch.Elapsed.TotalSeconds;
            var (subscribers, pending) = await Ask(http, streams);
            var served = watch.Elapsed.TotalSeconds;
            server.Refresh();
            var cpu = server.TotalProcessorTime.TotalSeconds;
            var alone = await CpuOf(server, Idle);
            using var readers = new OwedReaders(http);
            await readers.Connect(streams, subscribers, Connections);
            // A round of heartbeats, and what the compiler has left to do.
            await Task.Delay(TimeSpan.FromSeconds(20));
            var connected = await CpuOf(server, Idle);
            server.Refresh();
            return string.Create(CultureInfo.InvariantCulture,
                $"{{\"streams\":{streams},\"subscribers\":{subscribers},\"pending\":{pending},"
                + $"\"ready_s\":{ready:F2},\"served_s\":{served:F2},\"served_cpu_s\":{cpu:F2},"
                + $"\"idle_percent\":{alone:F2},\"connected_percent\":{connected:F2},\"rss\":{server.WorkingSet64}}}");
        }
        finally
        {
            server.Kill();
            await server.WaitForExitAsync();
        }
    }

    private static async Task<bool> IsReady(HttpClient http)
    {
        try
        {
            using var answer = await http.GetAsync("readyz");
            return answer.IsSuccessStatusCode;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }

    private static async Task<(int Subscribers, long Pending)> Ask(HttpClient http, int streams)
    {
        var (subscribers, pending) = (0, 0L);
        await Population.Each(streams, async index =>
        {
            var list = await List(http, $"api/streams/{Population.Stream(index)}/subscribers");
            foreach (var each in list.GetProperty("subscribers").EnumerateArray())
            {
                Interlocked.Increment(ref subscribers);
                Interlocked.Add(ref pending, each.GetProperty("pending").GetInt64());
            }
        });
        return (subscribers, pending);
    }

    /// <summary>What passes its limit is answered 504 and goes on.</summary>
    private static async Task<JsonElement> List(HttpClient http, string path)
    {
        while (true)
        {
            using var answer = await http.GetAsync(path);
            if (answer.StatusCode == HttpStatusCode.GatewayTimeout) continue;
            answer.EnsureSuccessStatusCode();
            return await answer.Content.ReadFromJsonAsync<JsonElement>();
        }
    }

    /// <summary>Of one core, in percent, as the system counts it for the whole process.</summary>
    private static async Task<double> CpuOf(Process server, TimeSpan time)
    {
        server.Refresh();
        var (before, watch) = (server.TotalProcessorTime, Stopwatch.StartNew());
        await Task.Delay(time);
        server.Refresh();
        return 100 * (server.TotalProcessorTime - before) / watch.Elapsed;
    }
}
