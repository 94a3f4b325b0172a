using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;

namespace OrleansEvents.Subscribers;

/// <summary>
/// 100 connected subscribers with 1,000 events in flight each send them all back so that they fall due at the same
/// moment, again and again; beside it other streams' latency, from the publisher's send to the reader's receive. Quiet
/// are the two seconds before each storm, in which as many connections wait for as many events.
/// </summary>
internal sealed class StormWork : IDisposable
{
    private const string Stream = "storm";
    private const int Subscribers = 100;
    private const int Events = 1000;
    private static readonly TimeSpan Delay = TimeSpan.FromSeconds(4);

    private readonly HttpClient http;
    private readonly List<StormReader> readers = [];
    private readonly List<(long From, long To)> quiet = [];
    private readonly List<(long From, long To)> bursts = [];
    private readonly List<(long From, long To)> storms = [];
    private readonly Uri address;
    private string ids = "";

    private StormWork(Uri address)
    {
        this.address = address;
        http = new HttpClient { BaseAddress = address };
    }

    public static async Task<string> Run(Uri address, TimeSpan time)
    {
        using var storm = new StormWork(address);
        await storm.Prepare();
        using var ordinary = new Probe(address, "probe.ordinary", readers: 8, everyMs: 3, critical: false);
        using var critical = new Probe(address, "probe.critical", readers: 4, everyMs: 10, critical: true);
        await storm.Strike();
        storm.quiet.Clear();
        storm.bursts.Clear();
        storm.storms.Clear();
        for (var watch = Stopwatch.StartNew(); watch.Elapsed < time;) await storm.Strike();
        ordinary.Dispose();
        critical.Dispose();
        var lasted = storm.bursts.Average(each => Stopwatch.GetElapsedTime(each.From, each.To).TotalSeconds);
        return string.Create(CultureInfo.InvariantCulture,
            $"{{\"storms\":{storm.storms.Count},\"burst_s\":{lasted:F2},"
            + $"{Distribution("ordinary_quiet", ordinary.During(storm.quiet))},"
            + $"{Distribution("ordinary_storm", ordinary.During(storm.storms))},"
            + $"{Distribution("ordinary_burst", ordinary.During(storm.bursts))},"
            + $"{Distribution("critical_quiet", critical.During(storm.quiet))},"
            + $"{Distribution("critical_storm", critical.During(storm.storms))}}}");
    }

    public void Dispose()
    {
        foreach (var reader in readers) reader.Dispose();
        http.Dispose();
    }

    private async Task Prepare()
    {
        await Send(HttpMethod.Put, Stream, """{"buffer":10000,"bufferBytes":16777216}""");
        await Population.Each(Subscribers, index => Send(HttpMethod.Put,
            $"{Stream}/subscribers/{Population.Name(index)}", """{"ackWait":3600,"maxAttempts":100}"""));
        var one = $$"""{"type":"bench","critical":true,"data":"{{new string('x', 198)}}"}""";
        var made = await Send(HttpMethod.Post, $"{Stream}/events?events=true",
            $"[{string.Join(',', Enumerable.Repeat(one, Events))}]");
        ids = string.Join(',', JsonSerializer.Deserialize<JsonElement>(made).GetProperty("events").EnumerateArray()
            .Select(each => $"\"{each.GetProperty("id").GetString()}\""));
        for (var index = 0; index < Subscribers; index++)
            readers.Add(new StormReader(address, Stream, Population.Name(index)));
        // Before, nothing is in flight that could be sent back.
        while (readers.Exists(reader => reader.Received < Events * 200)) await Task.Delay(10);
        await Quietness();
    }

    /// <summary>One storm: from the moment at which all are due until all have come and what was saved is.</summary>
    private async Task Strike()
    {
        var due = Stopwatch.GetTimestamp() + (long)(Delay.TotalSeconds * Stopwatch.Frequency);
        var before = readers.Sum(reader => reader.Received);
        await Population.Each(Subscribers, index => Send(HttpMethod.Post,
            $"{Stream}/subscribers/{Population.Name(index)}/nack", string.Create(CultureInfo.InvariantCulture,
                $$"""{"ids":[{{ids}}],"delay":{{Until(due).TotalSeconds}}}""")));
        await Task.Delay(Until(due));
        await Quietness();
        var came = readers.Sum(reader => reader.Received) - before;
        if (came < Subscribers * (long)Events * 200) throw new InvalidOperationException($"only {came} bytes came");
        quiet.Add((due - 2 * Stopwatch.Frequency, due - Stopwatch.Frequency / 10));
        var last = readers.Max(reader => reader.LastAt);
        bursts.Add((due, last));
        storms.Add((due, last + Stopwatch.Frequency * 3 / 2));
    }

    private static TimeSpan Until(long due) => Stopwatch.GetElapsedTime(Stopwatch.GetTimestamp(), due);

    private async Task Quietness()
    {
        do await Task.Delay(100);
        while (Stopwatch.GetElapsedTime(readers.Max(reader => reader.LastAt)) < TimeSpan.FromSeconds(1.5));
    }

    private async Task<string> Send(HttpMethod method, string path, string json)
    {
        using var request = new HttpRequestMessage(method, $"api/streams/{path}")
        {
            Content = new StringContent(json, Encoding.UTF8, "application/json"),
        };
        using var answer = await http.SendAsync(request);
        var text = await answer.Content.ReadAsStringAsync();
        return answer.IsSuccessStatusCode ? text : throw new InvalidOperationException(text);
    }

    private static string Distribution(string name, List<double> ms)
    {
        ms.Sort();
        return string.Create(CultureInfo.InvariantCulture, $"\"{name}_count\":{ms.Count},\"{name}_p50\":{At(0.5):F2},"
            + $"\"{name}_p90\":{At(0.9):F2},\"{name}_p99\":{At(0.99):F2},\"{name}_p999\":{At(0.999):F2},"
            + $"\"{name}_max\":{ms[^1]:F2}");

        double At(double share) => ms[(int)(ms.Count * share)];
    }
}
