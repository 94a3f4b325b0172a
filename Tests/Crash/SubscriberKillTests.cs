using System.Text.Json;
using OrleansEvents.Tests.Storage;
using Xunit;

namespace OrleansEvents.Tests.Crash;

/// <summary>What a subscriber's policy, acknowledgements, attempts and dead letters are worth when the process is
/// killed.</summary>
[Collection("Processes")]
public sealed class SubscriberKillTests : IDisposable
{
    private const string Path = "/api/streams/orders/subscribers/billing";
    private readonly DataFolder _folder = new();
    private readonly HttpClient _http = EventsHttp.NewClient();
    private Uri _address = null!;

    public void Dispose()
    {
        _http.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public async Task A_policy_outlives_a_kill_as_soon_as_it_is_answered()
    {
        await Killed(async () => await Put("""{"maxAttempts":7,"types":["x"],"mode":"compete"}"""));
        await Killed(async () =>
        {
            var known = await Get("");
            Assert.Equal((7, "compete", false), (known.GetProperty("policy").GetProperty("maxAttempts").GetInt32(),
                known.GetProperty("policy").GetProperty("mode").GetString(),
                known.GetProperty("expires").GetBoolean()));
            await Put("""{"maxAttempts":8}""");
        });
        await Killed(async () => Assert.Equal(8,
            (await Get("")).GetProperty("policy").GetProperty("maxAttempts").GetInt32()));
    }

    [Fact]
    public async Task Acknowledgements_outlive_a_kill_as_soon_as_they_are_answered()
    {
        await Killed(async () =>
        {
            await Publish(1, 20);
            await Ack((await Poll()).Where(each => NumberOf(each) % 3 == 0));
        });
        for (var kill = 0; kill < 2; kill++)
            await Killed(async () =>
            {
                Assert.Equal(Enumerable.Range(1, 20).Where(n => n % 3 != 0), (await Pending()).Select(NumberOf));
                var again = await Poll();
                Assert.DoesNotContain(again, each => NumberOf(each) % 3 == 0);
            });
    }

    [Fact]
    public async Task Attempts_outlive_a_kill_with_any_save_that_is_answered_and_dead_letters_as_soon_as_they_are_seen()
    {
        await Killed(async () =>
        {
            await Put("""{"ackWait":60,"backoff":[0.001],"maxAttempts":3}""");
            await Publish(1, 2);
            var (first, second) = (await Poll()) switch { var both => (both[0], both[1]) };
            await Nack(first);
            Assert.Equal([1], (await Poll("&wait=30")).Select(NumberOf));
            while (!(await Pending()).Select(AttemptOf).SequenceEqual([2, 1])) await Task.Delay(10);
            await Put("{}");
        });
        await Killed(async () =>
        {
            Assert.Equal([2, 1], (await Pending()).Select(AttemptOf));
            Assert.Equal("nack", (await Pending())[0].GetProperty("history")[0].GetProperty("reason").GetString());
            var again = await Poll();
            Assert.Equal([3, 2], again.Select(AttemptOf));
            await Nack(again[0]);
            while ((await DeadLetters()).Count == 0) await Task.Delay(10);
        });
        await Killed(async () =>
        {
            var letter = Assert.Single(await DeadLetters());
            Assert.Equal((1, 3), (NumberOf(letter), AttemptOf(letter)));
            Assert.Equal([2], (await Pending()).Select(NumberOf));
            await Send(HttpMethod.Post, "/dead-letters/replay", "{}");
        });
        await Killed(async () =>
        {
            Assert.Empty(await DeadLetters());
            Assert.Equal([1, 2], (await Pending()).Select(NumberOf));
            await Ack(await Pending());
        });
        await Killed(async () =>
        {
            Assert.Empty(await DeadLetters());
            Assert.Empty(await Pending());
            await Send(HttpMethod.Delete, "", null);
        });
        await Killed(async () => Assert.Equal(404, (int)(await _http.GetAsync(_address, Path)).Status));
    }

    /// <summary>A process that does something and is killed then.</summary>
    private async Task Killed(Func<Task> act)
    {
        await using var server = await ServerProcess.StartAsync(_folder.Path);
        _address = server.Address;
        await act();
        await server.KillAsync();
    }

    private async Task Publish(int first, int last)
    {
        for (var n = first; n <= last; n++)
        {
            var answer = await _http.PublishAsync(_address, "orders",
                $$"""{"type":"x","data":{"n":{{n}}},"critical":true}""");
            Assert.True(answer.IsSuccess, answer.ToString());
        }
    }

    private Task<JsonElement> Put(string policy) => Send(HttpMethod.Put, "", policy);

    private Task<JsonElement> Get(string path) => Send(HttpMethod.Get, path, null);

    private async Task<JsonElement> Send(HttpMethod method, string path, string? body)
    {
        var answer = await _http.SendAsync(method, _address, Path + path, body);
        Assert.True(answer.IsSuccess, answer.ToString());
        return answer.Json;
    }

    private async Task<List<JsonElement>> Poll(string query = "") => EventsOf((await _http.GetAsync(_address,
        $"/api/streams/orders/events?subscriber=billing&after=$&limit=1000{query}")).Json);

    private Task<List<JsonElement>> Pending() => _http.PendingAsync(_address, "orders", "billing");

    private async Task<List<JsonElement>> DeadLetters() => EventsOf(await Get("/dead-letters"));

    private async Task Ack(IEnumerable<JsonElement> events)
    {
        var answer = await _http.AckAsync(_address, "orders", "billing", events.Select(IdOf));
        Assert.All(answer.Json.GetProperty("results").EnumerateArray(),
            result => Assert.Equal("acknowledged", result.GetProperty("result").GetString()));
    }

    private Task<JsonElement> Nack(JsonElement @event) =>
        Send(HttpMethod.Post, "/nack", EventsHttp.AckBody([IdOf(@event)]));

    private static List<JsonElement> EventsOf(JsonElement page) => [.. page.GetProperty("events").EnumerateArray()];

    private static int NumberOf(JsonElement @event) => @event.GetProperty("data").GetProperty("n").GetInt32();

    private static int AttemptOf(JsonElement @event) =>
        @event.TryGetProperty("attempt", out var attempt) ? attempt.GetInt32() : 1;

    private static string IdOf(JsonElement @event) => @event.GetProperty("id").GetString()!;
}
