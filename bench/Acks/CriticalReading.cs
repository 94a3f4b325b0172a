using System.Text;
using OrleansEvents.Client;

namespace OrleansEvents.Acks;

/// <summary>A stream of critical events that lie ready, and the ways to read it.</summary>
internal sealed class CriticalReading(Uri server, string stream, int count) : IDisposable
{
    private const int DataBytes = 200;
    private const int EventsPerPublish = 2_000;

    private readonly EventsClient client = new(server);
    private readonly HttpClient http = new() { BaseAddress = server };

    public static readonly int[] InFlight = [1_000, 10_000];

    /// <summary>All subscribers are there before the events, so that each is owed all of them.</summary>
    public async Task Prepare(int subscribers)
    {
        using var settings = new StringContent(
            """{"buffer":100000,"bufferBytes":67108864,"retention":{"count":1000000}}""", Encoding.UTF8,
            "application/json");
        using var made = await http.PutAsync($"api/streams/{stream}", settings);
        made.EnsureSuccessStatusCode();
        foreach (var inFlight in InFlight)
        {
            var policy = new SubscriberPolicy { MaxPending = 1_000_000, MaxInFlight = inFlight };
            for (var number = 0; number < subscribers; number++)
                await Subscriber(number, inFlight).ConfigureAsync(policy);
        }
        var data = Encoding.ASCII.GetBytes($"\"{new string('x', DataBytes - 2)}\"");
        foreach (var chunk in Enumerable.Range(0, count).Chunk(EventsPerPublish))
            await client.PublishAsync(stream, [.. chunk.Select(_ => new NewEvent("bench", data) { Critical = true })]);
    }

    public async Task Anonymously(int _)
    {
        var left = count;
        await foreach (var frame in client.ReadAsync(stream, new ReadOptions { After = "0" }))
        {
            if (frame is GapFrame)
                throw new InvalidOperationException("a gap");
            if (frame is EventFrame && --left == 0)
                break;
        }
    }

    /// <summary>Reads until every event is acknowledged, and the server has stored that.</summary>
    public async Task Acknowledging(int number, int inFlight)
    {
        var subscriber = Subscriber(number, inFlight);
        await using var reader = client.Subscribe(stream, subscriber.Name);
        var left = count;
        await foreach (var arrived in reader)
        {
            if (--left > 0)
                continue;
            reader.Acknowledge(arrived);
            await reader.FlushAsync();
            break;
        }
        if ((await subscriber.DescribeAsync()).Pending is var pending and > 0)
            throw new InvalidOperationException($"{pending} events are not acknowledged");
    }

    private Subscriber Subscriber(int number, int inFlight) => client.Subscriber(stream, $"reader-{inFlight}-{number}");

    public async Task Remove() => await client.DeleteAsync(stream);

    public void Dispose()
    {
        client.Dispose();
        http.Dispose();
    }
}
