using System.Net;
using System.Text.Json;
using OrleansEvents.Tests.Http;
using Xunit;
using static OrleansEvents.Tests.Webhooks.Given;

namespace OrleansEvents.Tests.Webhooks;

/// <summary>Events of a subscriber with a webhook, from publishing to its endpoint.</summary>
public sealed class PushTests
{
    [Fact]
    public async Task What_is_owed_is_pushed_signed_and_acknowledged_by_2xx()
    {
        await using var receiver = new WebhookReceiver();
        await using var server = await PushServer.Start();
        await server.PublishCritical(0, 2);
        await server.Webhook(receiver);
        await server.PublishCritical(2, 2);
        await server.Publish("orders", Http.Given.Event(99));
        await server.UntilPushed();
        var requests = receiver.Requests.ToArray();
        Assert.Equal([0, 1, 2, 3], requests.Select(PushServer.Data).Order());
        Assert.All(requests, request => Assert.True(IsSigned(request, Secret)));
        Assert.Equal(4, requests.Select(request => request.Headers["webhook-id"]).Distinct().Count());
        var events = await server.Events("orders");
        Assert.Equal(events[..4].Select(each => each.GetRawText()),
            requests.OrderBy(PushServer.Data).Select(request => request.Text));
        Assert.Equal(4, (await server.Subscriber()).GetProperty("statistics").GetProperty("succeeded").GetInt32());
    }

    [Fact]
    public async Task Every_acknowledgement_is_reported_however_they_fall_together()
    {
        await using var receiver = new WebhookReceiver();
        await using var server = await PushServer.Start();
        await server.Webhook(receiver);
        for (var i = 0; i < 100; i++)
        {
            await server.PublishCritical(4 * i, 4);
            await server.UntilPushed();
        }
        Assert.Equal(Enumerable.Range(0, 400), receiver.Requests.Select(PushServer.Data).Order());
    }

    [Fact]
    public async Task A_failure_is_tried_again_under_the_same_id()
    {
        var answers = 0;
        await using var receiver = new WebhookReceiver((_, connection) =>
            WebhookReceiver.AnswerStatus(connection, ++answers < 3 ? 500 : 204));
        await using var server = await PushServer.Start();
        await server.Webhook(receiver, ",\"backoff\":[0.01]");
        await server.PublishCritical(0, 1);
        await server.UntilPushed();
        var requests = receiver.Requests.ToArray();
        Assert.Equal(3, requests.Length);
        Assert.Single(requests.Select(request => request.Headers["webhook-id"]).Distinct());
        Assert.DoesNotContain("attempt", requests[0].Text, StringComparison.Ordinal);
        Assert.EndsWith(",\"attempt\":3}", requests[2].Text, StringComparison.Ordinal);
        Assert.All(requests, request => Assert.True(IsSigned(request, Secret)));
    }

    [Fact]
    public async Task What_fails_too_often_is_a_dead_letter_that_can_be_replayed()
    {
        var answers = 0;
        await using var receiver = new WebhookReceiver(async (_, connection) =>
        {
            if (++answers == 2) connection.Reset();
            else await WebhookReceiver.AnswerStatus(connection, answers < 3 ? 503 : 200);
        });
        await using var server = await PushServer.Start();
        await server.Webhook(receiver, ",\"backoff\":[0.01],\"maxAttempts\":2");
        await server.PublishCritical(7, 1);
        await Eventually.True(async () => (await server.DeadLetters()).Length == 1);
        Assert.Equal(["http 503", "closed"], (await server.DeadLetters())[0].Reasons());
        Assert.Empty(await server.Owed());

        (await server.Post("/api/streams/orders/subscribers/hook/dead-letters/replay", "{}")).Must(HttpStatusCode.OK);
        await Eventually.True(() => Task.FromResult(receiver.Requests.Count == 3));
        Assert.Equal(7, receiver.Requests.Last().Data());
        await Eventually.True(async () => (await server.Owed()).Length + (await server.DeadLetters()).Length == 0);
    }

    [Fact]
    public async Task An_endpoint_that_asks_for_time_is_not_tried_before()
    {
        await using var receiver = new WebhookReceiver((_, connection) =>
            WebhookReceiver.AnswerStatus(connection, 429, "Retry-After: 1000\r\n"));
        await using var server = await PushServer.Start();
        await server.Webhook(receiver, ",\"backoff\":[0.01]");
        await server.PublishCritical(0, 2);
        await Eventually.True(async () => (await server.Owed())[0].Reasons().Length == 1);
        var owed = await server.Owed();
        Assert.Equal(["http 429"], owed[0].Reasons());
        Assert.InRange(owed[0].GetProperty("nextRetry").GetDateTimeOffset() - TimeProvider.System.GetUtcNow(),
            TimeSpan.FromSeconds(500), TimeSpan.FromSeconds(1000));
        Assert.Equal(0, owed[1].GetProperty("attempt").GetInt32());
        Assert.Single(receiver.Requests);
    }

    [Fact]
    public async Task A_CloudEvent_is_pushed_in_structured_mode()
    {
        await using var receiver = new WebhookReceiver();
        await using var server = await PushServer.Start();
        await server.Webhook(receiver, webhook: ",\"format\":\"cloudevents\"");
        await server.PublishCritical(5, 1);
        await server.UntilPushed();
        var request = Assert.Single(receiver.Requests);
        Assert.Equal("application/cloudevents+json", request.Headers["Content-Type"]);
        var json = JsonSerializer.Deserialize<JsonElement>(request.Body);
        Assert.Equal(("1.0", "/api/streams/orders", 5), (json.GetProperty("specversion").GetString(),
            json.GetProperty("source").GetString(), json.GetProperty("data").GetInt32()));
        Assert.Equal((await server.Events("orders"))[0].GetProperty("id").GetString(),
            json.GetProperty("id").GetString());
    }

    [Fact]
    public async Task Ordinary_events_are_pushed_to_who_is_owed_all()
    {
        await using var receiver = new WebhookReceiver();
        await using var server = await PushServer.Start();
        await server.Webhook(receiver, ",\"owed\":\"all\"");
        await server.Publish("orders", Http.Given.Events(3));
        await server.UntilPushed();
        Assert.Equal([0, 1, 2], receiver.Requests.Select(PushServer.Data).Order());
    }

    [Fact]
    public async Task Each_subscriber_is_pushed_what_it_wants()
    {
        await using var all = new WebhookReceiver();
        await using var some = new WebhookReceiver();
        await using var server = await PushServer.Start();
        await server.Webhook(all, name: "all");
        await server.Webhook(some, ",\"types\":[\"paid\"]", name: "some");
        await server.Publish("orders",
            """[{"type":"paid","data":1,"critical":true},{"type":"x","data":2,"critical":true}]""");
        await server.UntilPushed(name: "all");
        await server.UntilPushed(name: "some");
        Assert.Equal([1, 2], all.Requests.Select(PushServer.Data).Order());
        Assert.Equal(1, Assert.Single(some.Requests).Data());
        Assert.NotEqual(some.Requests.First().Headers["webhook-id"],
            all.Requests.First(request => request.Data() == 1).Headers["webhook-id"]);
    }

    [Fact]
    public async Task A_changed_webhook_has_effect_at_once()
    {
        await using var old = new WebhookReceiver((_, connection) => WebhookReceiver.AnswerStatus(connection, 500));
        await using var other = new WebhookReceiver();
        await using var server = await PushServer.Start();
        await server.Webhook(old, ",\"backoff\":[0.01],\"maxAttempts\":100");
        await server.PublishCritical(0, 1);
        await Eventually.True(() => Task.FromResult(old.Requests.Count >= 2));
        await server.Webhook(other);
        await server.UntilPushed();
        Assert.Equal(0, Assert.Single(other.Requests).Data());
        var before = old.Requests.Count;
        await server.PublishCritical(1, 1);
        await server.UntilPushed();
        Assert.Equal((before, 2), (old.Requests.Count, other.Requests.Count));
    }

    [Fact]
    public async Task A_webhook_that_was_taken_away_and_set_again_goes_on()
    {
        await using var receiver = new WebhookReceiver();
        await using var server = await PushServer.Start();
        for (var i = 0; i < 3; i++)
        {
            await server.Webhook(receiver);
            await server.PublishCritical(2 * i, 1);
            await server.UntilPushed();
            (await server.Send(HttpMethod.Put, "/api/streams/orders/subscribers/hook", """{"webhook":null}"""))
                .Must(HttpStatusCode.OK);
            await server.PublishCritical(2 * i + 1, 1);
            Assert.Single(await server.Owed());
        }
        await server.Webhook(receiver);
        await server.UntilPushed();
        Assert.Equal(Enumerable.Range(0, 6), receiver.Requests.Select(PushServer.Data).Order());
    }

    [Fact]
    public async Task A_removed_subscriber_and_a_deleted_stream_are_pushed_nothing_more()
    {
        var release = new TaskCompletionSource();
        await using var receiver = new WebhookReceiver(async (request, connection) =>
        {
            await release.Task;
            await WebhookReceiver.AnswerStatus(connection, 200);
        });
        await using var server = await PushServer.Start();
        await server.Webhook(receiver, stream: "a");
        await server.Webhook(receiver, stream: "b");
        await server.PublishCritical(0, 2, "a");
        await server.PublishCritical(2, 2, "b");
        await Eventually.True(() => Task.FromResult(receiver.Requests.Count == 2));
        (await server.Delete("/api/streams/a/subscribers/hook")).Must(HttpStatusCode.NoContent);
        (await server.Delete("/api/streams/b")).Must(HttpStatusCode.NoContent);
        release.SetResult();
        await server.Webhook(receiver, stream: "b");
        await server.PublishCritical(9, 1, "b");
        await server.UntilPushed("b");
        Assert.Equal([0, 2, 9], receiver.Requests.Select(PushServer.Data).Order());
    }

    [Fact]
    public async Task An_idle_subscriber_lets_its_stream_go_and_comes_back()
    {
        await using var receiver = new WebhookReceiver();
        await using var server = await PushServer.Start("--Webhooks:IdleAfter", "0.05");
        await server.Webhook(receiver);
        for (var i = 0; i < 3; i++)
        {
            await server.PublishCritical(i, 1);
            await server.UntilPushed();
            await Eventually.True(async () =>
                (await server.Subscriber()).GetProperty("connections").GetInt32() == 0);
        }
        Assert.Equal([0, 1, 2], receiver.Requests.Select(PushServer.Data));
    }

    [Theory]
    [InlineData("""{"webhook":{"url":"https://127.0.0.1/","secret":"SECRET"}}""", "webhook.url")]
    [InlineData("""{"webhook":{"url":"https://169.254.169.254/","secret":"SECRET"}}""", "webhook.url")]
    [InlineData("""{"webhook":{"url":"http://hooks.example/","secret":"SECRET"}}""", "webhook.url")]
    [InlineData("""{"webhook":{"url":"https://hooks.example/","secret":"guess"}}""", "webhook.secret")]
    [InlineData("""{"webhook":{"url":"https://hooks.example/"}}""", "secret")]
    [InlineData("""{"webhook":{"url":5,"secret":"SECRET"}}""", "webhook.url")]
    [InlineData("""{"webhook":{"url":"https://hooks.example/","secret":"SECRET","format":"xml"}}""", "webhook.format")]
    public async Task An_unfit_webhook_is_refused_when_it_is_registered(string json, string member)
    {
        await using var server = await TestServer.Start();
        var answer = await server.Send(HttpMethod.Put, "/api/streams/orders/subscribers/hook",
            json.Replace("SECRET", Secret, StringComparison.Ordinal));
        Assert.Contains(member, answer.MustRefuse(400, "INVALID_INPUT").GetProperty("detail").GetString(),
            StringComparison.Ordinal);
        Assert.DoesNotContain("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", answer.Text, StringComparison.Ordinal);
        (await server.Get("/api/streams/orders")).MustRefuse(404, "NOT_FOUND");
    }

    [Fact]
    public async Task The_secret_is_not_shown_again()
    {
        await using var receiver = new WebhookReceiver();
        await using var server = await PushServer.Start();
        var made = await server.Webhook(receiver);
        Assert.DoesNotContain("whsec", made.GetRawText(), StringComparison.Ordinal);
        Assert.DoesNotContain("whsec", (await server.Subscriber()).GetRawText(), StringComparison.Ordinal);
    }
}
