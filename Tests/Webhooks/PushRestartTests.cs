using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using OrleansEvents.Api.Embedded;
using OrleansEvents.Api.Webhooks;
using OrleansEvents.Storage.Memory;
using OrleansEvents.Streams;
using OrleansEvents.Tests.Http;
using Xunit;

namespace OrleansEvents.Tests.Webhooks;

/// <summary>What a stop, a start and a failing store do to pushing.</summary>
public sealed class PushRestartTests
{
    [Fact]
    public async Task What_is_owed_is_pushed_after_a_restart_without_another_publish()
    {
        var status = 500;
        await using var receiver = new WebhookReceiver((_, connection) =>
            WebhookReceiver.AnswerStatus(connection, Volatile.Read(ref status)));
        await using var server = await PushServer.StartOnDisk();
        await server.Webhook(receiver, ",\"backoff\":[0.5],\"maxAttempts\":100");
        await server.PublishCritical(0, 3);
        await Eventually.True(() => Task.FromResult(!receiver.Requests.IsEmpty));
        await server.Stop();
        Volatile.Write(ref status, 200);
        receiver.Requests.Clear();
        await server.Restart();
        // No look at the stream before: that would open it.
        await Eventually.True(() => Task.FromResult(receiver.Requests.Select(PushServer.Data).Distinct().Count() == 3));
        await server.UntilPushed();
        Assert.Equal(3, receiver.Requests.Count);
    }

    [Fact]
    public async Task A_stop_lets_what_is_under_way_finish()
    {
        var release = new TaskCompletionSource();
        await using var receiver = new WebhookReceiver(async (_, connection) =>
        {
            await release.Task;
            await WebhookReceiver.AnswerStatus(connection, 200);
        });
        await using var server = await PushServer.StartOnDisk();
        await server.Webhook(receiver);
        await server.PublishCritical(0, 2);
        await Eventually.True(() => Task.FromResult(receiver.Requests.Count == 1));
        var stopping = server.Running.App.Lifetime.ApplicationStopping;
        var stopped = server.Stop();
        await Eventually.True(() => Task.FromResult(stopping.IsCancellationRequested));
        Assert.False(stopped.IsCompleted);
        release.SetResult();
        await stopped;
        // The node that stops last may take over the other's.
        if (!ServerEngine.IsCluster) Assert.Single(receiver.Requests);

        await server.Restart();
        await server.UntilPushed();
        Assert.Equal([0, 1], receiver.Requests.Select(PushServer.Data));
        Assert.DoesNotContain("attempt", receiver.Requests.Last().Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_engine_stops_after_what_was_under_way_is_acknowledged()
    {
        Assert.SkipWhen(ServerEngine.IsCluster, "It looks at the embedded engine's place among what stops.");
        var release = new TaskCompletionSource();
        await using var receiver = new WebhookReceiver(async (_, connection) =>
        {
            await release.Task;
            await WebhookReceiver.AnswerStatus(connection, 200);
        });
        (IEventStreams? streams, WebhookPushers? pushers) = (null, null);
        var (owed, waits) = (-1, false);
        await using var server = await PushServer.StartWith(services =>
        {
            // The services stop in the reverse order: this one is the first to, the other the last before the engine.
            services.AddSingleton<IHostedService>(new AtStop(() =>
            {
                waits = !pushers!.StopAsync(CancellationToken.None).IsCompleted;
                release.SetResult();
                return Task.CompletedTask;
            }));
            var engine = services.First(each => each.ImplementationType == typeof(EngineLifetime));
            services.Insert(services.IndexOf(engine) + 1, ServiceDescriptor.Singleton<IHostedService>(new AtStop(
                async () => owed = (await streams!.DescribeSubscriber("orders", "hook")).Value!.Pending)));
        });
        streams = server.Running.App.Services.GetRequiredService<IEventStreams>();
        pushers = server.Running.App.Services.GetRequiredService<WebhookPushers>();
        await server.Webhook(receiver);
        await server.PublishCritical(0, 1);
        await Eventually.True(() => Task.FromResult(receiver.Requests.Count == 1));
        await server.Stop();
        Assert.True(waits);
        Assert.Equal(0, owed);
    }

    [Fact]
    public async Task A_stop_cuts_what_does_not_finish_and_the_next_start_tries_again()
    {
        var hangs = true;
        await using var receiver = new WebhookReceiver((_, connection) =>
            Volatile.Read(ref hangs) ? connection.UntilGone() : WebhookReceiver.AnswerStatus(connection, 200));
        await using var server = await PushServer.StartOnDisk("--Shutdown:Drain", "0.1");
        await server.Webhook(receiver, ",\"backoff\":[0.01]");
        await server.PublishCritical(0, 1);
        await Eventually.True(() => Task.FromResult(receiver.Requests.Count == 1));
        await server.Stop();
        Volatile.Write(ref hangs, false);
        await server.Restart();
        await server.UntilPushed();
        var requests = receiver.Requests.ToArray();
        // The node that stops last may try, too.
        Assert.InRange(requests.Length, 2, ServerEngine.IsCluster ? 3 : 2);
        Assert.EndsWith($",\"attempt\":{requests.Length}}}", requests[^1].Text, StringComparison.Ordinal);
        Assert.Single(requests.Select(request => request.Headers["webhook-id"]).Distinct());
    }

    [Fact]
    public async Task A_webhook_that_is_disabled_stays_so_over_a_restart()
    {
        await using var receiver = new WebhookReceiver((_, connection) =>
            WebhookReceiver.AnswerStatus(connection, 410));
        await using var server = await PushServer.StartOnDisk();
        await server.Webhook(receiver);
        await server.PublishCritical(0, 1);
        await Eventually.True(async () => (await server.Subscriber()).TryGetProperty("disabled", out _));
        await server.Restart();
        await server.PublishCritical(1, 1);
        Assert.Equal("http 410", (await server.Subscriber()).GetProperty("disabled").GetString());
        Assert.Equal(0, (await server.Subscriber()).GetProperty("connections").GetInt32());
        Assert.Single(receiver.Requests);
    }

    [Fact]
    public async Task An_endpoint_that_fails_goes_on_failing_since_then_over_a_restart()
    {
        var status = 500;
        await using var receiver = new WebhookReceiver((_, connection) =>
            WebhookReceiver.AnswerStatus(connection, Volatile.Read(ref status)));
        await using var server = await PushServer.StartOnDisk();
        await server.Webhook(receiver, ",\"backoff\":[0.01],\"maxAttempts\":100");
        var began = TimeProvider.System.GetUtcNow();
        await server.PublishCritical(0, 1);
        await Eventually.True(() => Task.FromResult(receiver.Requests.Count > 2));
        await server.Stop();
        var stopped = TimeProvider.System.GetUtcNow();
        Volatile.Write(ref status, 410);
        await server.Restart();
        JsonElement[] told = [];
        await Eventually.True(async () => (told = [.. (await server.Events("$system")).Where(each =>
            each.GetRawText().Contains("WEBHOOK_DISABLED", StringComparison.Ordinal))]).Length > 0);
        Assert.InRange(told[0].GetProperty("data").GetProperty("since").GetDateTimeOffset(),
            began.AddMilliseconds(-1), stopped);
    }

    [Fact]
    public async Task A_private_address_is_disabled_where_it_is_not_allowed_any_more()
    {
        await using var receiver = new WebhookReceiver((_, connection) =>
            WebhookReceiver.AnswerStatus(connection, 500));
        await using var server = await PushServer.StartOnDisk();
        await server.Webhook(receiver, ",\"backoff\":[0.01],\"maxAttempts\":100");
        await server.PublishCritical(0, 1);
        await Eventually.True(() => Task.FromResult(!receiver.Requests.IsEmpty));
        await server.Restart("--Webhooks:AllowHttp", "true");
        receiver.Requests.Clear();
        await Eventually.True(async () => (await server.Subscriber()).TryGetProperty("disabled", out _));
        Assert.Contains("private", (await server.Subscriber()).GetProperty("disabled").GetString(),
            StringComparison.Ordinal);
        await Eventually.True(async () => (await server.Events("$system")).Any(each =>
            each.GetRawText().Contains("WEBHOOK_DISABLED", StringComparison.Ordinal)));
        Assert.Empty(receiver.Requests);
    }

    [Fact]
    public async Task An_acknowledgement_that_could_not_be_stored_is_stored_later_and_the_event_not_sent_again()
    {
        await using var memory = new MemoryEventLog();
        var log = FailingLog.Over(memory);
        await using var receiver = new WebhookReceiver(async (_, connection) =>
        {
            log.Fails = true;
            await WebhookReceiver.AnswerStatus(connection, 200);
        });
        await using var server = await PushServer.StartWith(services => services.AddSingleton(log.Log),
            "--Storage:CircuitOpen", "0.05");
        await server.Webhook(receiver);
        await server.PublishCritical(0, 1);
        await Eventually.True(async () => (int)(await server.Get("/readyz")).Status == 503);
        Assert.Single(await server.Owed());
        log.Fails = false;
        await server.UntilPushed();
        Assert.Single(receiver.Requests);
    }

    private sealed class AtStop(Func<Task> act) : IHostedService
    {
        public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => act();
    }
}
