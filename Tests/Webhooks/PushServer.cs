using System.Net;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using OrleansEvents.Tests.Http;

namespace OrleansEvents.Tests.Webhooks;

/// <summary>A server whose subscribers have webhooks on loopback.</summary>
internal static class PushServer
{
    private static readonly string[] s_options = ["--Webhooks:AllowPrivateAddresses", "true"];

    public static Task<TestServer> Start(params string[] options) => TestServer.Start([.. s_options, .. options]);

    public static Task<TestServer> StartOnDisk(params string[] options) =>
        TestServer.StartOnDisk([.. s_options, .. options]);

    public static Task<TestServer> StartWith(Action<IServiceCollection> services, params string[] options) =>
        TestServer.StartWith(services, [.. s_options, .. options]);

    /// <summary>Registers a subscriber; <paramref name="more"/> are members of its policy, with a comma before, and
    /// <paramref name="webhook"/> such of its webhook.</summary>
    public static async Task<JsonElement> Webhook(this TestServer server, WebhookReceiver receiver,
        string more = "", string webhook = "", string stream = "orders", string name = "hook")
    {
        var answer = await server.Send(HttpMethod.Put, $"/api/streams/{stream}/subscribers/{name}",
            $$$"""{"webhook":{"url":"{{{receiver.Url}}}","secret":"{{{Given.Secret}}}"{{{webhook}}}}{{{more}}}}""");
        Assert(answer);
        return answer.Json;
    }

    public static async Task<JsonElement> Subscriber(this TestServer server, string stream = "orders",
        string name = "hook") =>
        (await server.Get($"/api/streams/{stream}/subscribers/{name}")).Must(HttpStatusCode.OK).Json;

    public static async Task<JsonElement[]> Owed(this TestServer server, string stream = "orders",
        string name = "hook") => await server.Page($"/api/streams/{stream}/subscribers/{name}/pending");

    public static async Task<JsonElement[]> DeadLetters(this TestServer server, string stream = "orders",
        string name = "hook") => await server.Page($"/api/streams/{stream}/subscribers/{name}/dead-letters");

    /// <summary>Publishes critical events whose data are numbers.</summary>
    public static Task PublishCritical(this TestServer server, int from, int count, string stream = "orders") =>
        server.Publish(stream,
            $"[{string.Join(',', Enumerable.Range(from, count).Select(i => Http.Given.Critical(i)))}]");

    public static string[] Reasons(this JsonElement @event) => [.. @event.GetProperty("history").EnumerateArray()
        .Select(failure => failure.GetProperty("reason").GetString()!)];

    /// <summary>Nothing is owed any more, and nothing is under way.</summary>
    public static Task UntilPushed(this TestServer server, string stream = "orders", string name = "hook") =>
        Eventually.True(async () => (await server.Subscriber(stream, name)).GetProperty("pending").GetInt32() == 0);

    public static int Data(this ReceivedRequest request) =>
        JsonSerializer.Deserialize<JsonElement>(request.Body).GetProperty("data").GetInt32();

    private static async Task<JsonElement[]> Page(this TestServer server, string path) =>
        [.. (await server.Get(path)).Must(HttpStatusCode.OK).Json.GetProperty("events").EnumerateArray()];

    private static void Assert(Answer answer) => Xunit.Assert.True(
        answer.Status is HttpStatusCode.OK or HttpStatusCode.Created, $"{answer.Status}: {answer.Text}");
}
