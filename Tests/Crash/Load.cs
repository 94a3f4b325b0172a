using System.Collections.Concurrent;
using System.Text.Json;
using Xunit;

namespace OrleansEvents.Tests.Crash;

/// <summary>
/// Two streams with publishers and readers that go on over any number of crashes, and what must be true at the end.
/// One stream is mixed, ordinary and critical, its buffer small enough to be overrun; the other is durable as a whole.
/// </summary>
internal sealed class Load : IDisposable
{
    private const string Keeper = "keeper";
    private readonly ConcurrentQueue<string> _broken = new();
    private readonly Deployment _deployment;
    private readonly StreamFacts _mixed;
    private readonly StreamFacts _whole;
    private readonly LoadPublisher[] _publishers;
    private readonly LoadReader[] _readers;
    private readonly LoadSubscriber _subscriber;
    private readonly CancellationTokenSource _limit;
    private readonly List<Task> _publishing = [];
    private readonly List<Task> _reading = [];
    private readonly int _buffer;
    private volatile bool _isOver;

    public Load(Deployment deployment, Random random, TimeSpan limit, int buffer = 300)
    {
        (_deployment, _buffer) = (deployment, buffer);
        _limit = new CancellationTokenSource(limit);
        _mixed = new StreamFacts("mixed", isDurable: false, _broken);
        _whole = new StreamFacts("whole", isDurable: true, _broken);
        _publishers = [Publisher(_mixed, "a"), Publisher(_mixed, "b"), Publisher(_whole, "c")];
        _readers = [Reader(_mixed, "first"), Reader(_mixed, "second"), Reader(_whole, "third")];
        _subscriber = new LoadSubscriber(deployment, _mixed, "worker", new Random(random.Next()));

        LoadPublisher Publisher(StreamFacts facts, string name) => new(deployment, facts, name, new(random.Next()));
        LoadReader Reader(StreamFacts facts, string name) => new(deployment, facts, name, new(random.Next()));
    }

    /// <summary>Batches that were answered so far.</summary>
    public int Answers => _publishers.Sum(each => each.Answers);

    /// <summary>Gaps that readers were told of.</summary>
    public IEnumerable<string> Gaps =>
        _readers.Select(each => each.Line).Append(_subscriber.Line).SelectMany(line => line.Gaps);

    public string Summary =>
        $"{_mixed.Count} and {_whole.Count} events, "
        + $"{_mixed.Acknowledged.Count} and {_whole.Acknowledged.Count} durable ones acknowledged, "
            + $"{Gaps.Count()} gaps, {_subscriber.Acknowledged} acks";

    public void Dispose()
    {
        _limit.Cancel();
        _limit.Dispose();
    }

    /// <summary>Makes the streams, and registers one who never acknowledges, so that all stays.</summary>
    public async Task BeginAsync()
    {
        using var http = EventsHttp.NewClient();
        var address = await _deployment.AddressAsync(_limit.Token);
        const string Kept = "\"backlog\":1000000,\"retention\":{\"count\":10000000,\"age\":604800}";
        await Put("mixed", $$"""{"buffer":{{_buffer}},{{Kept}}}""");
        await Put("whole", $$"""{"buffer":30,"durable":true,{{Kept}}}""");
        await Put($"mixed/subscribers/{Keeper}", """{"maxPending":1000000}""");
        await foreach (var _ in Frames.ReadAsync(
            http, address, $"/api/streams/mixed/events?subscriber={Keeper}", null, _limit.Token)) break;
        foreach (var each in _publishers) _publishing.Add(Task.Run(() => each.RunAsync(() => _isOver, _limit.Token)));
        foreach (var each in _readers) _reading.Add(Task.Run(() => each.RunAsync(_limit.Token)));
        _reading.Add(Task.Run(() => _subscriber.RunAsync(_limit.Token)));

        async Task Put(string stream, string settings)
        {
            var answer = await http.SendAsync(HttpMethod.Put, address, $"/api/streams/{stream}", settings);
            if (!answer.IsSuccess) throw new InvalidOperationException(answer.ToString());
        }
    }

    /// <summary>Waits until publishers were answered anew: the load runs.</summary>
    public async Task RunsAsync(int answers)
    {
        var until = Answers + answers;
        while (Answers < until && _broken.IsEmpty) await Task.Delay(5, _limit.Token);
    }

    /// <summary>Ends the load: publishers finish, readers read to the end.</summary>
    public async Task EndAsync()
    {
        _isOver = true;
        await Task.WhenAll(_publishing);
        foreach (var facts in (StreamFacts[])[_mixed, _whole])
            await new LoadPublisher(_deployment, facts, "end", new Random(0)).PublishEndAsync(_limit.Token);
        await Task.WhenAll(_reading);
    }

    /// <summary>Fails with what is wrong; call it after the end, as often as the server was started since.</summary>
    public async Task CheckAsync()
    {
        await FindBrokenAsync();
        Assert.True(_broken.IsEmpty, $"{_broken.Count} promises broken:\n{string.Join('\n', _broken.Take(20))}");
    }

    private async Task FindBrokenAsync()
    {
        using var http = EventsHttp.NewClient();
        var address = await _deployment.AddressAsync(_limit.Token);
        var critical = Sightings(await http.PendingAsync(address, "mixed", Keeper));
        CheckStored(_mixed, critical, sighting => sighting.Critical);
        CheckStored(_whole, Sightings(await AllOfAsync(http, address, "whole")), _ => true);
        foreach (var reader in _readers) reader.Line.Check(_ => true);
        _subscriber.Line.Check(sighting => !sighting.Critical);
        foreach (var missing in critical.Where(each => !_subscriber.Received.Contains(each.Seq)))
            _mixed.Break($"the subscriber never got {missing}");
        foreach (var again in await http.PendingAsync(address, "mixed", "worker"))
            _mixed.Break($"owed again after it was acknowledged: {again}");
    }

    private static void CheckStored(StreamFacts facts, List<Sighting> stored, Func<Sighting, bool> isDurable)
    {
        for (var i = 1; i < stored.Count; i++)
            if (stored[i].Seq <= stored[i - 1].Seq) facts.Break($"stored out of order: {stored[i - 1]}, {stored[i]}");
        foreach (var twice in stored.GroupBy(each => each.Key).Where(group => group.Count() > 1))
            facts.Break($"the key {twice.Key} is stored twice: {string.Join(", ", twice)}");
        var exists = stored.ToHashSet();
        foreach (var lost in facts.Acknowledged.Where(each => isDurable(each) && !exists.Contains(each)))
            facts.Break($"acknowledged and lost: {lost}");
        foreach (var phantom in facts.All.Where(each => isDurable(each) && !exists.Contains(each)))
            facts.Break($"seen, and taken back by a crash: {phantom}");
        foreach (var own in stored.GroupBy(each => each.Key[..each.Key.IndexOf('-')]))
            if (!own.Select(NumberOf).SequenceEqual(own.Select(NumberOf).Order()))
                facts.Break($"the events of publisher {own.Key} are out of its order");
        foreach (var each in stored) facts.See(each);
    }

    private static int NumberOf(Sighting sighting) =>
        int.Parse(sighting.Key[(sighting.Key.IndexOf('-') + 1)..], System.Globalization.CultureInfo.InvariantCulture);

    private static List<Sighting> Sightings(IEnumerable<JsonElement> events) => [.. events.Select(Sighting.Of)];

    private static async Task<List<JsonElement>> AllOfAsync(HttpClient http, Uri address, string stream)
    {
        var events = new List<JsonElement>();
        var after = "0";
        while (true)
        {
            var page = await http.GetAsync(address, $"/api/streams/{stream}/events?after={after}&limit=1000");
            events.AddRange(page.Json.GetProperty("events").EnumerateArray());
            if (!page.Json.GetProperty("more").GetBoolean()) return events;
            after = page.Json.GetProperty("cursor").GetString()!;
        }
    }
}
