using System.Collections.Concurrent;
using System.Text.Json;
using OrleansEvents.Tests.Crash;
using OrleansEvents.Tests.Webhooks;
using Xunit;

namespace OrleansEvents.Tests.Soak;

/// <summary>
/// Subscribers of every kind on one stream, while the server is killed, stopped and started, its clients leave and are
/// killed, and webhooks fail. At the end each has acknowledged every critical event, but for those that it never
/// would: they are dead letters.
/// </summary>
[Collection("Processes")]
public sealed class DeliverySoakTests(ITestOutputHelper output)
{
    private static readonly TimeSpan s_duration = TimeSpan.FromSeconds(TestRun.IsLong ? 600 : 12);
    private readonly ConcurrentQueue<string> _broken = new();
    private readonly HttpClient _http = EventsHttp.NewClient();
    private int _published;

    [Fact]
    public async Task Every_critical_event_is_acknowledged_as_the_model_says_over_kills_of_server_and_clients()
    {
        var random = TestRun.NewRandom(output);
        await using var deployment = new Deployment("--Logging:LogLevel:OrleansEvents", "Error",
            "--Webhooks:AllowPrivateAddresses", "true");
        using var limit = new CancellationTokenSource(s_duration + TimeSpan.FromMinutes(4));
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(limit.Token);
        await deployment.StartAsync();
        var (ledgers, readers) = Readers(deployment, random);
        await using var receiver = Receiver(ledgers["hook"], new Random(random.Next()));
        await ConfigureAsync(deployment, receiver.Url, limit.Token);
        var reading = readers.Select(run => Task.Run(() => run(stop.Token))).ToList();
        var publishing = Task.Run(() => PublishAsync(deployment, new Random(random.Next()), limit.Token));
        var until = TimeProvider.System.GetTimestamp();
        while (TimeProvider.System.GetElapsedTime(until) < s_duration)
        {
            await Task.Delay(random.Next(500, TestRun.IsLong ? 15_000 : 3000), limit.Token);
            if (random.Next(4) == 0) await deployment.StopAsync();
            else await deployment.KillAsync();
            await deployment.StartAsync();
        }
        _isOver = true;
        await publishing;
        foreach (var name in ledgers.Keys) await AllDoneAsync(deployment, name, limit.Token);
        await stop.CancelAsync();
        await Task.WhenAll(reading);
        foreach (var ledger in ledgers.Values) await CheckAsync(deployment, ledger);
        output.WriteLine($"{_published} events; " + string.Join(", ",
            ledgers.Values.Select(each => $"{each.Subscriber} {each.Acknowledged} acks")));
        output.WriteLine(deployment.StartSummary);
        Assert.True(_broken.IsEmpty, $"{_broken.Count} promises broken:\n{string.Join('\n', _broken.Take(20))}");
    }

    private volatile bool _isOver;

    private static bool IsPoison(int number) => number % 25 == 0;

    private (Dictionary<string, SoakLedger> Ledgers, List<Func<CancellationToken, Task>> Readers) Readers(
        Deployment deployment, Random random)
    {
        string[] names = ["careful", "tabs", "workers", "poisoned", "hook", "tail"];
        var ledgers = names.ToDictionary(name => name, name => new SoakLedger(name, _broken));
        var readers = new List<Func<CancellationToken, Task>>
        {
            Reader("careful").RunAsync, Reader("tabs").RunAsync, Reader("tabs").RunAsync,
            Reader("workers", refuses: 5).RunAsync, Reader("workers", refuses: 5).RunAsync,
            Reader("workers", refuses: 5).RunAsync, Reader("poisoned", isPoison: IsPoison).RunAsync,
            new SoakTail(deployment, ledgers["tail"], new Random(random.Next())).RunAsync,
        };
        return (ledgers, readers);

        SoakReader Reader(string name, int refuses = 0, Func<int, bool>? isPoison = null) =>
            new(deployment, ledgers[name], new Random(random.Next()))
            {
                Refuses = refuses, IsPoison = isPoison ?? (_ => false),
            };
    }

    private async Task ConfigureAsync(Deployment deployment, string url, CancellationToken cancel)
    {
        const string Patient = "\"maxAttempts\":100,\"ackWait\":2,\"backoff\":[0.05,0.2],\"maxPending\":1000000";
        await PutAsync("careful", $$"""{{{Patient}}}""");
        await PutAsync("tabs", $$"""{{{Patient}}}""");
        await PutAsync("workers", $$"""{{{Patient}},"mode":"compete"}""");
        await PutAsync("tail", $$"""{{{Patient}}}""");
        await PutAsync("poisoned", """{"maxAttempts":2,"ackWait":0.3,"backoff":[0.05],"maxPending":1000000}""");
        await PutAsync("hook", $$$"""
            {{{{Patient}}},"webhook":{"url":"{{{url}}}","secret":"whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD","timeout":2}}
            """);

        async Task PutAsync(string name, string policy)
        {
            var answer = await _http.SendAsync(HttpMethod.Put, await deployment.AddressAsync(cancel),
                $"/api/streams/soak/subscribers/{name}", policy);
            Assert.True(answer.IsSuccess, answer.ToString());
        }
    }

    /// <summary>Takes most, fails some, hangs now and then.</summary>
    private static WebhookReceiver Receiver(SoakLedger ledger, Random random) => new(async (request, connection) =>
    {
        var number = JsonSerializer.Deserialize<JsonElement>(request.Text).GetProperty("data").GetInt32();
        int draw;
        lock (random) draw = random.Next(100);
        ledger.Receive(number, connection: 0);
        if (draw < 3)
        {
            connection.Reset();
            return;
        }
        if (draw < 10)
        {
            await WebhookReceiver.AnswerStatus(connection, 503);
            return;
        }
        ledger.Ask([number]);
        await WebhookReceiver.AnswerStatus(connection, 204);
    });

    /// <summary>Publishes batches, each again until it is answered: its key keeps it from being doubled.</summary>
    private async Task PublishAsync(Deployment deployment, Random random, CancellationToken cancel)
    {
        var next = 1;
        while (!_isOver)
        {
            var count = random.Next(1, 20);
            var events = Enumerable.Range(next, count).Select(number =>
                $$"""{"type":"t","data":{{number}},"critical":true,"key":"n{{number}}"}""");
            var body = $"[{string.Join(',', events)}]";
            while (await _http.TrySendAsync(HttpMethod.Post, await deployment.AddressAsync(cancel),
                "/api/streams/soak/events", body) is not { IsSuccess: true })
                await Task.Delay(20, cancel);
            next += count;
            Volatile.Write(ref _published, next - 1);
            await Task.Delay(random.Next(5, 60), cancel);
        }
    }

    private async Task AllDoneAsync(Deployment deployment, string name, CancellationToken cancel)
    {
        while (true)
        {
            var found = await _http.GetAsync(await deployment.AddressAsync(cancel),
                $"/api/streams/soak/subscribers/{name}");
            if (found.Json.GetProperty("pending").GetInt32() == 0) return;
            await Task.Delay(50, cancel);
        }
    }

    private async Task CheckAsync(Deployment deployment, SoakLedger ledger)
    {
        var address = await deployment.AddressAsync(CancellationToken.None);
        var dead = new HashSet<int>();
        for (var (after, more) = ("0", true); more;)
        {
            var page = await _http.GetAsync(address,
                $"/api/streams/soak/subscribers/{ledger.Subscriber}/dead-letters?limit=1000&after={after}");
            foreach (var each in page.Json.GetProperty("events").EnumerateArray())
                dead.Add(each.GetProperty("data").GetInt32());
            (after, more) = (page.Json.GetProperty("cursor").GetString()!, page.Json.GetProperty("more").GetBoolean());
        }
        // A crash may take what was acknowledged, but not stored, from one that has only two attempts.
        ledger.Check(_published, dead, number => ledger.Subscriber == "poisoned");
        if (ledger.Subscriber != "poisoned") return;
        for (var number = 25; number <= _published; number += 25)
            if (!dead.Contains(number)) ledger.Break($"{number} is never acknowledged, but no dead letter");
    }
}
