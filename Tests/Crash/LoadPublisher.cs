using System.Globalization;
using System.Text;

namespace OrleansEvents.Tests.Crash;

/// <summary>Publishes batches, each again and again with the same keys until it is answered.</summary>
internal sealed class LoadPublisher(Deployment deployment, StreamFacts facts, string name, Random random)
{
    private const int MostEvents = 6;
    private const int CriticalIn100 = 40;
    private readonly HttpClient _http = EventsHttp.NewClient();
    private int _n;
    private int _answers;

    /// <summary>Batches that were answered so far.</summary>
    public int Answers => Volatile.Read(ref _answers);

    public async Task RunAsync(Func<bool> isOver, CancellationToken cancel)
    {
        using (_http)
        {
            while (!isOver())
            {
                var events = NextEvents();
                await PublishAsync(events, cancel);
                // Long after its answer, perhaps after a crash, the same keys still mean the same events.
                if (events.Exists(each => each.Critical) && random.Next(10) == 0) await PublishAsync(events, cancel);
                await Task.Delay(random.Next(1, 4), cancel);
            }
        }
    }

    /// <summary>The last event, after which readers end.</summary>
    public async Task PublishEndAsync(CancellationToken cancel)
    {
        using (_http) await PublishAsync([("end", ++_n, true)], cancel);
    }

    private List<(string Type, int N, bool Critical)> NextEvents() =>
        [.. Enumerable.Range(0, random.Next(1, MostEvents + 1))
            .Select(_ => ("tick", ++_n, random.Next(100) < CriticalIn100))];

    private async Task PublishAsync(List<(string Type, int N, bool Critical)> events, CancellationToken cancel)
    {
        var body = BodyOf(events);
        while (true)
        {
            var answer = await _http.TrySendAsync(HttpMethod.Post, await deployment.AddressAsync(cancel),
                $"/api/streams/{facts.Stream}/events?events=true", body);
            if (answer is { IsSuccess: true })
            {
                Note(events, answer);
                Interlocked.Increment(ref _answers);
                return;
            }
            if (answer is not null && (int)answer.Status != 503) facts.Break($"publishing was answered {answer}");
            await Task.Delay(random.Next(1, 20), cancel);
        }
    }

    private void Note(List<(string Type, int N, bool Critical)> events, Answer answer)
    {
        var isDurable = facts.IsDurable || events.Exists(each => each.Critical);
        var ids = answer.Json.GetProperty("events").EnumerateArray()
            .Select(each => Sighting.CursorOf(each.GetProperty("id").GetString()!)).ToArray();
        if (ids.Length != events.Count || answer.Json.GetProperty("durable").GetBoolean() != isDurable)
            facts.Break($"the answer does not fit the request: {answer}");
        for (var i = 0; i < ids.Length; i++)
        {
            if (i > 0 && ids[i].Seq <= ids[i - 1].Seq) facts.Break($"a batch out of order: {answer}");
            facts.Acknowledge(new Sighting(ids[i], KeyOf(events[i].N), events[i].Critical), isDurable);
        }
    }

    private string KeyOf(int n) => string.Create(CultureInfo.InvariantCulture, $"{name}-{n}");

    private string BodyOf(List<(string Type, int N, bool Critical)> events)
    {
        var body = new StringBuilder("[");
        foreach (var (type, n, critical) in events)
        {
            body.Append(body.Length > 1 ? "," : "").Append(CultureInfo.InvariantCulture, $$"""
                {"type":"{{type}}","key":"{{KeyOf(n)}}","critical":{{(critical ? "true" : "false")}},
                "data":{"publisher":"{{name}}","n":{{n}} } }
                """);
        }
        return body.Append(']').ToString();
    }
}
