using System.Text.Json;

namespace OrleansEvents.Tests.Crash;

/// <summary>An anonymous reader that goes on from its cursor, by SSE or a poll by chance, until the end.</summary>
internal sealed class LoadReader(Deployment deployment, StreamFacts facts, string name, Random random)
{
    private readonly HttpClient _http = EventsHttp.NewClient();
    private string? _cursor;
    private bool _isAtEnd;

    public Line Line { get; } = new(name, facts);

    public async Task RunAsync(CancellationToken cancel)
    {
        using (_http)
        {
            while (!_isAtEnd)
            {
                var address = await deployment.AddressAsync(cancel);
                // The first connection says where the line begins.
                if (_cursor is null || random.Next(3) > 0) await FollowAsync(address, cancel);
                else await PollAsync(address);
                // Away for long enough that a crash can take what it has not seen.
                if (!_isAtEnd) await Task.Delay(random.Next(1, random.Next(3) == 0 ? 400 : 20), cancel);
            }
        }
    }

    private async Task FollowAsync(Uri address, CancellationToken cancel)
    {
        // Some connections are left by the reader itself.
        var frames = random.Next(2) == 0 ? int.MaxValue : random.Next(1, 200);
        await foreach (var frame in Frames.ReadAsync(
            _http, address, $"/api/streams/{facts.Stream}/events?heartbeat=0.2", _cursor, cancel))
        {
            if (frame is { Name: "connected", Id: { } position }) Line.StartAt(position);
            if (frame.IsEvent) Take(frame.Data);
            if (frame.Name == "gap") Line.AddGap(frame.Data);
            _cursor = frame.Id ?? _cursor;
            if (_isAtEnd || --frames == 0) return;
        }
    }

    private async Task PollAsync(Uri address)
    {
        for (var polls = random.Next(1, 40); polls > 0 && !_isAtEnd; polls--)
        {
            var answer = await _http.TrySendAsync(HttpMethod.Get, address,
                $"/api/streams/{facts.Stream}/events?after={_cursor}&wait=0.5&limit={random.Next(1, 200)}");
            if (answer is not { IsSuccess: true }) return;
            if (answer.Json.TryGetProperty("gap", out var gap)) Line.AddGap(gap);
            foreach (var @event in answer.Json.GetProperty("events").EnumerateArray()) Take(@event);
            _cursor = answer.Json.GetProperty("cursor").GetString();
        }
    }

    private void Take(JsonElement @event)
    {
        Line.Add(Sighting.Of(@event));
        _isAtEnd = @event.GetProperty("type").GetString() == "end";
    }
}
