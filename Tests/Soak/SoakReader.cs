using OrleansEvents.Tests.Crash;

namespace OrleansEvents.Tests.Soak;

/// <summary>One connection after another on behalf of a subscriber: acknowledges most of what comes, refuses some,
/// forgets some, and leaves in the middle now and then.</summary>
internal sealed class SoakReader(Deployment deployment, SoakLedger ledger, Random random)
{
    private readonly HttpClient _http = EventsHttp.NewClient();
    private string? _cursor;

    /// <summary>Of a hundred events so many are refused.</summary>
    public int Refuses { get; init; }

    /// <summary>Of a hundred batches so many end the connection instead.</summary>
    public int Leaves { get; init; } = 2;

    /// <summary>Those are never acknowledged.</summary>
    public Func<int, bool> IsPoison { get; init; } = _ => false;

    public async Task RunAsync(CancellationToken stop)
    {
        using (_http)
        {
            while (!stop.IsCancellationRequested)
            {
                try
                {
                    await ConnectAsync(await deployment.AddressAsync(stop), stop);
                    await Task.Delay(random.Next(1, 50), stop);
                }
                catch (OperationCanceledException)
                {
                    return;
                }
            }
        }
    }

    private async Task ConnectAsync(Uri address, CancellationToken stop)
    {
        var connection = ledger.NewConnection();
        var attempts = new Dictionary<int, int>();
        var batch = new List<(int Number, string Id)>();
        await foreach (var frame in Frames.ReadAsync(_http, address,
            $"/api/streams/soak/events?subscriber={ledger.Subscriber}&heartbeat=0.3", _cursor, stop))
        {
            _cursor = frame.Id ?? _cursor;
            if (frame.IsEvent) Take(frame, connection, attempts, batch);
            if (batch.Count == 0 || frame.IsEvent && batch.Count < random.Next(1, 60)) continue;
            if (random.Next(100) < Leaves || !await SayAsync(address, batch)) return;
            batch.Clear();
        }
    }

    private void Take(Frame frame, int connection, Dictionary<int, int> attempts, List<(int, string)> batch)
    {
        var number = frame.Data.GetProperty("data").GetInt32();
        var attempt = frame.Data.TryGetProperty("attempt", out var told) ? told.GetInt32() : 1;
        if (attempts.TryGetValue(number, out var before) && before >= attempt)
            ledger.Break($"{number} came twice on a connection, as delivery {before} and {attempt}");
        attempts[number] = attempt;
        ledger.Receive(number, connection);
        if (!IsPoison(number)) batch.Add((number, frame.Text("id")));
    }

    /// <summary>False when nobody knows what came of it.</summary>
    private async Task<bool> SayAsync(Uri address, List<(int Number, string Id)> batch)
    {
        var refused = batch.Where(_ => random.Next(100) < Refuses).ToList();
        var taken = batch.Except(refused).ToList();
        if (refused.Count > 0 && await PostAsync(address, "nack", refused) is null) return false;
        if (taken.Count == 0) return true;
        ledger.Ask(taken.Select(each => each.Number));
        if (await PostAsync(address, "ack", taken) is not { IsSuccess: true } answer) return false;
        ledger.Answer(taken.Select(each => each.Number));
        foreach (var result in answer.Json.GetProperty("results").EnumerateArray())
            if (result.GetProperty("result").GetString() == "unknown") ledger.Break($"{result}: it was delivered");
        return true;
    }

    private Task<Answer?> PostAsync(Uri address, string what, List<(int Number, string Id)> events) =>
        _http.TrySendAsync(HttpMethod.Post, address, $"/api/streams/soak/subscribers/{ledger.Subscriber}/{what}",
            EventsHttp.AckBody(events.Select(each => each.Id)));
}
