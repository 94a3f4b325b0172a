using System.Text;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using OrleansEvents.Streams;
using OrleansEvents.Tests.Http;
using Xunit;

namespace OrleansEvents.Tests.Reading;

/// <summary>What the tests of reading share.</summary>
internal static class Given
{
    public const string Event = """{"type":"t","data":0}""";

    /// <summary>Publishes events whose data are the numbers from one to another.</summary>
    public static async Task Numbers(this TestServer server, string stream, int first, int last, string type = "t",
        bool critical = false)
    {
        var events = Enumerable.Range(first, last - first + 1).Select(number =>
            $$"""{"type":"{{type}}","data":{{number}}{{(critical ? ",\"critical\":true" : "")}}}""");
        await server.Publish(stream, $"[{string.Join(',', events)}]");
    }

    public static async Task Configure(this TestServer server, string stream, string settings)
    {
        var answer = await server.Put($"/api/streams/{stream}", settings);
        Assert.True((int)answer.Status is 200 or 201, answer.Text);
    }

    public static IEventStreams Engine(this TestServer server) =>
        server.Running.App.Services.GetRequiredService<IEventStreams>();

    /// <summary>Publishes past HTTP, as fast as can be.</summary>
    public static async Task PublishFast(this IEventStreams engine, string stream, string data, bool critical = false)
    {
        NewEvent[] events = [new("t"u8.ToArray(), 1, Encoding.UTF8.GetBytes(data), critical)];
        var outcome = await engine.Publish(stream, events, null, CancellationToken.None);
        Assert.Null(outcome.Refusal);
    }

    public static int Number(this SseFrame frame) => frame.Json.GetProperty("data").GetInt32();

    public static IReadOnlyList<int> Numbers(this IEnumerable<SseFrame> frames) =>
        [.. frames.Select(frame => frame.Number())];

    public static IReadOnlyList<string> IdsOf(this JsonElement page) =>
        [.. page.GetProperty("events").EnumerateArray().Select(each => each.GetProperty("id").GetString()!)];

    /// <summary>The names of an object's members, in order.</summary>
    public static IEnumerable<string> Members(this JsonElement json) =>
        json.EnumerateObject().Select(member => member.Name);

    public static Api.Sse.ConnectionTable Connections(this TestServer server) =>
        server.Running.App.Services.GetRequiredService<Api.Sse.ConnectionTable>();

    /// <summary>Until so many connections are open.</summary>
    public static Task Left(this TestServer server, int count) => Until(() => server.Connections().Count == count);

    /// <summary>The connection's id.</summary>
    public static async Task<string> Connected(this SseReader reader) =>
        (await reader.Next("connected")).Text("connection");

    public static Task<Answer> Ask(this TestServer server, string connection, string what, string? id = null) =>
        server.Post($"/api/connections/{connection}/{what}", id is null ? null : $"{{\"id\":\"{id}\"}}");

    public static int Missed(this SseFrame gap) => gap.Json.GetProperty("missed").GetInt32();

    public static int Clients(this SseFrame heartbeat) => heartbeat.Json.GetProperty("clients").GetInt32();

    /// <summary>The code in a system event.</summary>
    public static string? Code(this SseFrame @event) => @event.Json.GetProperty("data").GetProperty("code").GetString();

    /// <summary>What a system event says of a connection.</summary>
    public static string? Trouble(this SseFrame @event, string member) =>
        @event.Json.GetProperty("data").GetProperty(member).GetString();

    public static IReadOnlyList<int> NumbersOf(this JsonElement page) =>
        [.. page.GetProperty("events").EnumerateArray().Select(each => each.GetProperty("data").GetInt32())];

    public static string Cursor(this JsonElement page) => page.GetProperty("cursor").GetString()!;

    public static IEnumerable<int> To(this int first, int last) => Enumerable.Range(first, last - first + 1);

    /// <summary>Polls until a condition holds.</summary>
    public static async Task Until(Func<Task<bool>> condition)
    {
        using var limit = new CancellationTokenSource(SseReader.Patience);
        while (!await condition()) await Task.Delay(5, limit.Token);
    }

    public static Task Until(Func<bool> condition) => Until(() => Task.FromResult(condition()));
}
