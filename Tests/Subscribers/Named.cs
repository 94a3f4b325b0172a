using System.Net;
using System.Text.Json;
using OrleansEvents.Tests.Http;
using OrleansEvents.Tests.Reading;
using Xunit;

namespace OrleansEvents.Tests.Subscribers;

/// <summary>One subscriber of one stream, asked through HTTP.</summary>
internal sealed class Named(TestServer server, string stream = "s", string name = "a")
{
    public string Path { get; } = $"/api/streams/{stream}/subscribers/{name}";

    /// <summary>Registers it, or changes its policy.</summary>
    public async Task<JsonElement> Set(string policy)
    {
        var answer = await server.Put(Path, policy);
        Assert.True(answer.Status is HttpStatusCode.OK or HttpStatusCode.Created, answer.Text);
        return answer.Json;
    }

    /// <summary>Publishes critical events whose data are the numbers from one to another.</summary>
    public Task Critical(int first, int last, string type = "t") =>
        server.Numbers(stream, first, last, type, critical: true);

    /// <summary>The same, ordinary.</summary>
    public Task Ordinary(int first, int last, string type = "t") => server.Numbers(stream, first, last, type);

    /// <summary>Publishes numbers of which the even ones are critical.</summary>
    public Task Mixed(int first, int last) => server.Publish(stream, "[" + string.Join(',', first.To(last).Select(i =>
        $$"""{"type":"t","data":{{i}},"critical":{{(i % 2 == 0 ? "true" : "false")}}}""")) + "]");

    public Task<SseReader> Read(string query = "", string? lastEventId = null, Version? version = null) =>
        SseReader.Stream(server, stream, $"subscriber={name}&{query}", lastEventId, version);

    public Task<JsonElement> Poll(string query = "") => server.Poll(stream, $"subscriber={name}&{query}");

    public Task<string[]> Ack(params IEnumerable<string> ids) => Results("ack", new { ids });

    public Task<string[]> AckUpTo(string upTo) => Results("ack", new { upTo });

    public Task<string[]> Nack(params IEnumerable<string> ids) => Results("nack", new { ids });

    public Task<string[]> NackFor(double delay, params IEnumerable<string> ids) => Results("nack", new { ids, delay });

    public Task<JsonElement> Describe() => server.GetJson(Path);

    public async Task<int> Number(string member) => (await Describe()).GetProperty(member).GetInt32();

    public Task<JsonElement> Pending(string query = "") => server.GetJson($"{Path}/pending?{query}");

    public Task<JsonElement> DeadLetters(string query = "") => server.GetJson($"{Path}/dead-letters?{query}");

    /// <summary>Waits until so many are dead letters, and returns their data.</summary>
    public async Task<IReadOnlyList<int>> Dead(int count)
    {
        await Eventually.True(async () => await Number("deadLetters") == count);
        return (await DeadLetters()).NumbersOf();
    }

    public async Task<int> Replay(params string[] ids) => (await server.Post($"{Path}/dead-letters/replay",
        ids.Length == 0 ? "{}" : JsonSerializer.Serialize(new { ids }))).Must(HttpStatusCode.OK).Json
        .GetProperty("replayed").GetInt32();

    /// <summary>queued, retried, succeeded, abandoned, queue_size, with blanks between.</summary>
    public async Task<string> Statistics() => string.Join(' ', (await Describe()).GetProperty("statistics")
        .EnumerateObject().Select(member => member.Value.GetInt32()));

    public async Task<int> Statistic(string name) =>
        (await Describe()).GetProperty("statistics").GetProperty(name).GetInt32();

    private async Task<string[]> Results(string what, object body)
    {
        var answer = await server.Post($"{Path}/{what}", JsonSerializer.Serialize(body));
        return [.. answer.Must(HttpStatusCode.OK).Json.GetProperty("results").EnumerateArray()
            .Select(each => each.GetProperty("result").GetString()!)];
    }
}

internal static class Frames
{
    public static string EventId(this SseFrame frame) => frame.Text("id");

    public static IEnumerable<string> EventIds(this IEnumerable<SseFrame> frames) => frames.Select(EventId);

    /// <summary>Which delivery a frame says that it is: none says the first.</summary>
    public static int Attempt(this SseFrame frame) => frame.Json.Attempt();

    public static int Attempt(this JsonElement @event) =>
        @event.TryGetProperty("attempt", out var attempt) ? attempt.GetInt32() : 1;

    /// <summary>An event of this number, redelivered or not.</summary>
    public static Task<SseFrame> Next(this SseReader reader, int number, int attempt = 1) =>
        reader.Next(frame => frame.IsEvent && frame.Number() == number && frame.Attempt() == attempt);

    /// <summary>Proves that nothing came before it: publishes an ordinary event and reads up to it.</summary>
    public static async Task<List<SseFrame>> Before(this SseReader reader, TestServer server, int marker,
        string stream = "s")
    {
        await server.Numbers(stream, marker, marker);
        var before = new List<SseFrame>();
        while ((await reader.Next(frame => frame.IsEvent)) is var frame && frame.Number() != marker) before.Add(frame);
        return before;
    }
}
