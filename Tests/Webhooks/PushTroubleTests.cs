using System.Text.Json;
using OrleansEvents.Tests.Http;
using Xunit;

namespace OrleansEvents.Tests.Webhooks;

/// <summary>Endpoints that do not do well, and what becomes of the others.</summary>
public sealed class PushTroubleTests
{
    private static readonly string[] s_longCircuit =
        ["--Webhooks:CircuitFailures", "3", "--Webhooks:CircuitOpen", "1000", "--Webhooks:CircuitOpenMax", "1000"];

    [Fact]
    public async Task One_endpoint_has_so_many_requests_under_way_and_no_more()
    {
        var arrived = 0;
        var three = new TaskCompletionSource();
        await using var receiver = new WebhookReceiver(async (_, connection) =>
        {
            // The first ones let it grow; the others wait for each other.
            if (Interlocked.Increment(ref arrived) == 10) three.TrySetResult();
            if (Volatile.Read(ref arrived) > 7) await three.Task;
            await WebhookReceiver.AnswerStatus(connection, 200);
        });
        await using var server = await PushServer.Start("--Webhooks:EndpointConcurrency", "3");
        await server.Webhook(receiver);
        await server.PublishCritical(0, 50);
        await server.UntilPushed();
        Assert.Equal(3, receiver.MostUnderWay);
        Assert.Equal(Enumerable.Range(0, 50), receiver.Requests.Select(PushServer.Data).Order());
    }

    [Fact]
    public async Task All_endpoints_together_have_so_many_requests_under_way_and_no_more()
    {
        await using var receiver = new WebhookReceiver();
        await using var server = await PushServer.Start("--Webhooks:Concurrency", "2");
        string[] names = ["a", "b", "c", "d", "e"];
        foreach (var name in names) await server.Webhook(receiver, stream: name);
        await Task.WhenAll(names.Select(name => server.PublishCritical(0, 20, name)));
        foreach (var name in names) await server.UntilPushed(name);
        // Each node has its own.
        Assert.InRange(receiver.MostUnderWay, 1, ServerEngine.IsCluster ? 4 : 2);
        Assert.Equal(100, receiver.Requests.Count);
    }

    [Fact]
    public async Task Endpoints_that_hang_take_one_place_each()
    {
        await using var hanging = new WebhookReceiver((_, connection) => connection.UntilGone());
        await using var receiver = new WebhookReceiver();
        await using var server = await PushServer.Start("--Webhooks:Concurrency", "3", "--Shutdown:Drain", "0.1");
        await server.Webhook(hanging, stream: "a");
        await server.Webhook(hanging, stream: "b");
        await server.PublishCritical(0, 10, "a");
        await server.PublishCritical(0, 10, "b");
        await Eventually.True(() => Task.FromResult(hanging.Requests.Count == 2));
        await server.Webhook(receiver);
        await server.PublishCritical(0, 50);
        await server.UntilPushed();
        Assert.Equal(2, hanging.Requests.Count);
    }

    [Fact]
    public async Task An_endpoint_that_hangs_is_tried_again_after_its_time_limit()
    {
        await using var hanging = new WebhookReceiver((_, connection) => connection.UntilGone());
        await using var server = await PushServer.Start();
        await server.Webhook(hanging, ",\"backoff\":[0.01],\"maxAttempts\":2", ",\"timeout\":0.1");
        await server.PublishCritical(0, 1);
        await Eventually.True(async () => (await server.DeadLetters()).Length == 1);
        Assert.Equal(["timeout", "timeout"], (await server.DeadLetters())[0].Reasons());
    }

    [Fact]
    public async Task Failures_in_a_row_keep_the_other_events_waiting_without_an_attempt()
    {
        await using var failing = new WebhookReceiver((_, connection) => WebhookReceiver.AnswerStatus(connection, 500));
        await using var receiver = new WebhookReceiver();
        await using var server = await PushServer.Start(s_longCircuit);
        await server.Webhook(failing, ",\"backoff\":[0.01],\"maxAttempts\":100");
        await server.PublishCritical(0, 10);
        await Eventually.True(async () => (await server.Owed()).Sum(each => each.Reasons().Length) == 3);
        await server.PublishCritical(10, 1);
        await server.Webhook(receiver, stream: "other");
        await server.PublishCritical(0, 50, "other");
        await server.UntilPushed("other");
        Assert.Equal(3, failing.Requests.Count);
        Assert.Equal(11, (await server.Owed()).Length);
        Assert.Equal(3, (await server.Owed()).Sum(each => each.GetProperty("attempt").GetInt32()));
    }

    [Fact]
    public async Task An_endpoint_that_recovers_gets_everything()
    {
        var fails = true;
        await using var receiver = new WebhookReceiver((_, connection) =>
            WebhookReceiver.AnswerStatus(connection, Volatile.Read(ref fails) ? 503 : 200));
        await using var server = await PushServer.Start("--Webhooks:CircuitFailures", "2",
            "--Webhooks:CircuitOpen", "0.02", "--Webhooks:CircuitOpenMax", "0.1");
        await server.Webhook(receiver, ",\"backoff\":[0.01],\"maxAttempts\":100");
        await server.PublishCritical(0, 20);
        await Eventually.True(() => Task.FromResult(receiver.Requests.Count > 5));
        Volatile.Write(ref fails, false);
        await server.UntilPushed();
        Assert.Equal(Enumerable.Range(0, 20), receiver.Requests.Select(PushServer.Data).Distinct().Order());
        Assert.Empty(await server.DeadLetters());
    }

    [Fact]
    public async Task A_receiver_that_is_gone_is_disabled_and_told_of_until_it_is_set_again()
    {
        var status = 410;
        await using var receiver = new WebhookReceiver((_, connection) =>
            WebhookReceiver.AnswerStatus(connection, Volatile.Read(ref status)));
        await using var server = await PushServer.Start();
        await server.Webhook(receiver, ",\"backoff\":[0.01]");
        await server.PublishCritical(0, 3);
        var told = await Told(server);
        Assert.Equal(("orders", "hook", "http 410"), (told.GetProperty("stream").GetString(),
            told.GetProperty("subscriber").GetString(), told.GetProperty("reason").GetString()));
        Assert.Equal($"http://127.0.0.1:{receiver.Port}/hook", told.GetProperty("url").GetString());
        Assert.InRange(told.GetProperty("since").GetDateTimeOffset(),
            TimeProvider.System.GetUtcNow().AddMinutes(-1), TimeProvider.System.GetUtcNow());
        Assert.Equal("http 410", (await server.Subscriber()).GetProperty("disabled").GetString());
        Assert.Single(receiver.Requests);

        await server.PublishCritical(3, 1);
        Assert.Equal(4, (await server.Owed()).Length);
        Volatile.Write(ref status, 200);
        Assert.False((await server.Webhook(receiver)).TryGetProperty("disabled", out _));
        await server.UntilPushed();
        Assert.Equal([0, 0, 1, 2, 3], receiver.Requests.Select(PushServer.Data).Order());
    }

    [Fact]
    public async Task An_endpoint_that_fails_for_too_long_is_disabled()
    {
        await using var receiver = new WebhookReceiver((_, connection) =>
            WebhookReceiver.AnswerStatus(connection, 500));
        await using var server = await PushServer.Start("--Webhooks:DisableAfter", "0.2",
            "--Webhooks:CircuitOpen", "0.02", "--Webhooks:CircuitOpenMax", "0.02");
        await server.Webhook(receiver, ",\"backoff\":[0.01],\"maxAttempts\":100");
        await server.PublishCritical(0, 1);
        Assert.Equal("http 500", (await Told(server)).GetProperty("reason").GetString());
        var requests = receiver.Requests.Count;
        Assert.InRange(requests, 2, 100);
        Assert.Equal("http 500", (await server.Subscriber()).GetProperty("disabled").GetString());
        Assert.Single(await server.Owed());
    }

    /// <summary>The event on $system that says so, which is critical.</summary>
    private static async Task<JsonElement> Told(TestServer server)
    {
        JsonElement told = default;
        await Eventually.True(async () =>
        {
            told = (await server.Events("$system")).FirstOrDefault(each =>
                each.GetProperty("data").TryGetProperty("code", out var code)
                && code.ValueEquals("WEBHOOK_DISABLED"));
            return told.ValueKind == JsonValueKind.Object;
        });
        Assert.True(told.GetProperty("critical").GetBoolean());
        return told.GetProperty("data");
    }
}
