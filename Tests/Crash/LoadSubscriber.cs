namespace OrleansEvents.Tests.Crash;

/// <summary>A subscriber that acknowledges what it gets, a few at a time, until it has acknowledged the last.</summary>
internal sealed class LoadSubscriber(Deployment deployment, StreamFacts facts, string name, Random random)
{
    private readonly HttpClient _http = EventsHttp.NewClient();
    private readonly Dictionary<long, int> _acknowledgedOn = [];
    private int _connection;
    private string? _cursor;
    private long _end = long.MaxValue;

    public Line Line { get; } = new(name, facts);

    public int Acknowledged => _acknowledgedOn.Count;

    /// <summary>What came, at least once. An acknowledgement whose answer was lost may have counted.</summary>
    public HashSet<long> Received { get; } = [];

    public async Task RunAsync(CancellationToken cancel)
    {
        using (_http)
        {
            while (!_acknowledgedOn.ContainsKey(_end))
            {
                await ConnectAsync(await deployment.AddressAsync(cancel), cancel);
                await Task.Delay(random.Next(1, 20), cancel);
            }
        }
    }

    private async Task ConnectAsync(Uri address, CancellationToken cancel)
    {
        _connection++;
        var carried = new HashSet<long>();
        var owed = new List<Sighting>();
        await foreach (var frame in Frames.ReadAsync(
            _http, address, $"/api/streams/{facts.Stream}/events?subscriber={name}&heartbeat=0.2", _cursor, cancel))
        {
            _cursor = frame.Id ?? _cursor;
            if (frame is { Name: "connected", Id: { } position }) Line.StartAt(position);
            if (frame.Name == "gap") Line.AddGap(frame.Data);
            if (frame.IsEvent) Take(frame, carried, owed);
            // With a heartbeat, so that the last few do not wait for more.
            var isTime = frame.IsEvent ? owed.Count >= random.Next(1, 40) || _end < long.MaxValue : owed.Count > 0;
            if (isTime && !await AcknowledgeAsync(address, owed)) return;
            if (_acknowledgedOn.ContainsKey(_end)) return;
        }
    }

    private void Take(Frame frame, HashSet<long> carried, List<Sighting> owed)
    {
        var @event = Sighting.Of(frame.Data);
        if (!carried.Add(@event.Seq)) facts.Break($"{name}: {@event} came twice on one connection");
        if (!@event.Critical)
        {
            Line.Add(@event);
            return;
        }
        facts.See(@event);
        Received.Add(@event.Seq);
        if (_acknowledgedOn.TryGetValue(@event.Seq, out var on) && on < _connection)
            facts.Break($"{name}: {@event} was acknowledged on connection {on} and came again on {_connection}");
        owed.Add(@event);
        if (frame.Text("type") == "end") _end = @event.Seq;
    }

    /// <summary>False when nobody knows what came of it: the connection is left, and all comes again.</summary>
    private async Task<bool> AcknowledgeAsync(Uri address, List<Sighting> owed)
    {
        if (owed.Count == 0) return true;
        var answer = await _http.TrySendAsync(HttpMethod.Post, address, EventsHttp.AckPath(facts.Stream, name),
            EventsHttp.AckBody(owed.Select(each => each.Id.ToString())));
        if (answer is not { IsSuccess: true }) return false;
        foreach (var result in answer.Json.GetProperty("results").EnumerateArray())
            if (result.GetProperty("result").GetString() == "unknown")
                facts.Break($"{name}: an event that was delivered is unknown: {result}");
        foreach (var each in owed) _acknowledgedOn.TryAdd(each.Seq, _connection);
        owed.Clear();
        return true;
    }
}
