using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;

namespace OrleansEvents.Tests.Crash;

/// <summary>A frame as it came, with its own id if it had one.</summary>
internal sealed record Frame(string Name, string? Id, TimeSpan? Retry, JsonElement Data)
{
    public bool IsEvent => Name == "message";

    public string Text(string member) => Data.GetProperty(member).GetString()!;
}

/// <summary>Reads an SSE connection without the client's help: no reconnecting, nothing left out.</summary>
internal static class Frames
{
    /// <summary>Frames until the connection ends, by whatever way.</summary>
    public static async IAsyncEnumerable<Frame> ReadAsync(
        HttpClient http, Uri address, string pathAndQuery, string? lastEventId,
        [EnumeratorCancellation] CancellationToken cancel)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(address, pathAndQuery));
        request.Headers.Add("Accept", "text/event-stream");
        if (lastEventId is not null) request.Headers.Add("Last-Event-ID", lastEventId);
        using var answer = await TryAsync(() =>
            http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancel));
        if (answer is not { IsSuccessStatusCode: true }) yield break;
        await using var body = await answer.Content.ReadAsStreamAsync(cancel);
        await using var frames = SseParser.Create(body, (_, data) => Encoding.UTF8.GetString(data))
            .EnumerateAsync(cancel).GetAsyncEnumerator(cancel);
        while (await TryAsync(async () => await frames.MoveNextAsync()))
        {
            var item = frames.Current;
            yield return new Frame(item.EventType, item.EventId, item.ReconnectionInterval,
                JsonSerializer.Deserialize<JsonElement>(item.Data));
        }
    }

    /// <summary>Default when the connection broke or was never made.</summary>
    private static async Task<T?> TryAsync<T>(Func<Task<T>> step)
    {
        try
        {
            return await step();
        }
        catch (Exception broken) when (broken is HttpRequestException or IOException)
        {
            return default;
        }
    }
}
