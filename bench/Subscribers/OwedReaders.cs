using System.Net.Http.Json;
using System.Text.Json;

namespace OrleansEvents.Subscribers;

/// <summary>Connections of subscribers that take all that they are owed, acknowledge it and stay.</summary>
internal sealed class OwedReaders(HttpClient http) : IDisposable
{
    private readonly List<HttpResponseMessage> responses = [];

    public async Task Connect(int streams, int subscribers, int count)
    {
        var (each, step) = (subscribers / streams, subscribers / count);
        await Population.Each(count, index => Connect(Population.Stream(index * step / each),
            Population.Name(index * step)));
    }

    public void Dispose()
    {
        foreach (var response in responses) response.Dispose();
    }

    private async Task Connect(string stream, string subscriber)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get,
            $"api/streams/{stream}/events?subscriber={subscriber}");
        request.Headers.Accept.ParseAdd("text/event-stream");
        var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        response.EnsureSuccessStatusCode();
        lock (responses) responses.Add(response);
        var body = new StreamReader(await response.Content.ReadAsStreamAsync());
        var (left, last) = (-1, "");
        while (left != 0 && await body.ReadLineAsync() is { } line)
        {
            if (!line.StartsWith("data:", StringComparison.Ordinal)) continue;
            var data = JsonSerializer.Deserialize<JsonElement>(line.AsSpan(5));
            if (left < 0) left = data.GetProperty("pending").GetInt32();
            else if (data.TryGetProperty("id", out var id)) (left, last) = (left - 1, id.GetString()!);
        }
        if (left > 0) throw new InvalidOperationException($"{subscriber} was not given {left} events");
        using var answer = await http.PostAsJsonAsync($"api/streams/{stream}/subscribers/{subscriber}/ack",
            new { upTo = last });
        answer.EnsureSuccessStatusCode();
        _ = Drain(body);
    }

    private static async Task Drain(StreamReader body)
    {
        try
        {
            while (await body.ReadLineAsync() is not null)
            {
            }
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException)
        {
            // The work is over.
        }
    }
}
