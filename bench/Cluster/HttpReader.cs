using System.Net.ServerSentEvents;
using System.Text.Json;

namespace OrleansEvents.Cluster;

/// <summary>Reads a stream from its beginning, and comes back where it was when its connection ends.</summary>
internal sealed class HttpReader : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private readonly CancellationTokenSource over = new();
    private readonly HashSet<int> seen = [];
    private readonly Task running;
    private int gaps;

    /// <param name="http">By which it reads.</param>
    /// <param name="stream">The stream.</param>
    /// <param name="where">The node, for the first connection and for those that follow.</param>
    public HttpReader(HttpClient http, string stream, Func<int, Uri> where) => running = Run(http, stream, where);

    /// <summary>Gaps that it was told of.</summary>
    public int Gaps => Volatile.Read(ref gaps);

    /// <summary>Waits for what was published last, and ends; how many have not come.</summary>
    public async Task<int> End(int last)
    {
        using var limit = new CancellationTokenSource(Patience);
        while (Missing(last) > 0 && !limit.IsCancellationRequested) await Task.Delay(10);
        await over.CancelAsync();
        await running;
        return Missing(last);
    }

    public void Dispose() => over.Dispose();

    private int Missing(int last)
    {
        lock (seen) return last - seen.Count(number => number >= 1 && number <= last);
    }

    private async Task Run(HttpClient http, string stream, Func<int, Uri> where)
    {
        await Task.Yield();
        var lastId = "";
        for (var tries = 1; !over.IsCancellationRequested; tries++)
        {
            try
            {
                using var ask = new HttpRequestMessage(HttpMethod.Get,
                    new Uri(where(tries), $"/api/streams/{stream}/events?after=0&heartbeat=1"));
                ask.Headers.Accept.ParseAdd("text/event-stream");
                if (lastId.Length > 0) ask.Headers.TryAddWithoutValidation("Last-Event-ID", lastId);
                using var answer = await http.SendAsync(ask, HttpCompletionOption.ResponseHeadersRead, over.Token);
                await using var body = await answer.EnsureSuccessStatusCode().Content.ReadAsStreamAsync(over.Token);
                var parser = SseParser.Create(body);
                await foreach (var item in parser.EnumerateAsync(over.Token))
                {
                    lastId = parser.LastEventId;
                    Note(item);
                }
            }
            catch (Exception e) when (e is HttpRequestException or IOException or OperationCanceledException)
            {
                if (!over.IsCancellationRequested) await Task.Delay(20);
            }
        }
    }

    private void Note(SseItem<string> item)
    {
        if (item.EventType == "gap")
        {
            Interlocked.Increment(ref gaps);
            Console.Error.WriteLine($"gap: {item.Data}");
        }
        if (!item.Data.Contains("\"tick\"", StringComparison.Ordinal)) return;
        using var json = JsonDocument.Parse(item.Data);
        lock (seen) seen.Add(json.RootElement.GetProperty("data").GetInt32());
    }
}
