using System.Globalization;
using OrleansEvents.Api.Options;
using OrleansEvents.Api.Webhooks;
using Xunit;
using static OrleansEvents.Tests.Webhooks.Given;

namespace OrleansEvents.Tests.Webhooks;

/// <summary>One request to one endpoint, which does what it likes.</summary>
public sealed class WebhookSenderTests
{
    private const string Trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    [Fact]
    public async Task A_request_has_its_length_its_signatures_and_its_trace()
    {
        await using var receiver = new WebhookReceiver();
        using var sender = Sender();
        var target = Target(receiver.Url, secret: $"{Secret} {OtherSecret}");
        var before = DateTimeOffset.FromUnixTimeSeconds(TimeProvider.System.GetUtcNow().ToUnixTimeSeconds());
        var result = await sender.Send(target, Message("""{"seq":7,"data":"ü"}""", Trace), CancellationToken.None);
        Assert.Equal(new WebhookResult(WebhookOutcome.Acknowledged, "http 200"), result);
        var request = Assert.Single(receiver.Requests);
        Assert.Equal("POST /hook?token=hidden HTTP/1.1", request.Line);
        Assert.Equal("""{"seq":7,"data":"ü"}""", request.Text);
        Assert.Equal("21", request.Headers["Content-Length"]);
        Assert.DoesNotContain("Transfer-Encoding", request.Headers.Keys);
        Assert.Equal("application/json", request.Headers["Content-Type"]);
        Assert.StartsWith("OrleansEvents/", request.Headers["User-Agent"], StringComparison.Ordinal);
        Assert.Equal("msg_1", request.Headers["webhook-id"]);
        Assert.Equal(Trace, request.Headers["traceparent"]);
        Assert.True(IsSigned(request, Secret) && IsSigned(request, OtherSecret));
        Assert.InRange(DateTimeOffset.FromUnixTimeSeconds(
            long.Parse(request.Headers["webhook-timestamp"], CultureInfo.InvariantCulture)),
            before, before + Long);
    }

    [Fact]
    public async Task A_CloudEvent_is_called_one()
    {
        await using var receiver = new WebhookReceiver();
        using var sender = Sender();
        await sender.Send(Target(receiver.Url, asCloudEvent: true), Message(), CancellationToken.None);
        var request = Assert.Single(receiver.Requests);
        Assert.Equal("application/cloudevents+json", request.Headers["Content-Type"]);
        Assert.DoesNotContain("traceparent", request.Headers.Keys);
    }

    [Theory]
    [InlineData(204, "Acknowledged", "http 204")]
    [InlineData(299, "Acknowledged", "http 299")]
    [InlineData(301, "Failed", "redirect")]
    [InlineData(304, "Failed", "redirect")]
    [InlineData(404, "Failed", "http 404")]
    [InlineData(410, "Gone", "http 410")]
    [InlineData(500, "Failed", "http 500")]
    [InlineData(599, "Failed", "http 599")]
    public async Task A_status_says_what_becomes_of_the_event(int status, string outcome, string reason)
    {
        await using var receiver = new WebhookReceiver((_, connection) =>
            WebhookReceiver.AnswerStatus(connection, status));
        Assert.Equal(new WebhookResult(Enum.Parse<WebhookOutcome>(outcome), reason), await Send(receiver.Url));
    }

    [Theory]
    [InlineData(301)]
    [InlineData(302)]
    [InlineData(307)]
    [InlineData(308)]
    public async Task A_redirect_is_not_followed(int status)
    {
        await using var elsewhere = new WebhookReceiver();
        await using var receiver = new WebhookReceiver((_, connection) =>
            WebhookReceiver.AnswerStatus(connection, status, $"Location: {elsewhere.Url}\r\n"));
        Assert.Equal(new WebhookResult(WebhookOutcome.Failed, "redirect"), await Send(receiver.Url));
        Assert.Equal(0, elsewhere.Connections);
    }

    [Theory]
    [InlineData(429, "7", 7)]
    [InlineData(503, "3600", 3600)]
    [InlineData(500, "3601", 3600)]
    [InlineData(503, "99999999", 3600)]
    [InlineData(503, "-5", 0)]
    [InlineData(503, "soon", 0)]
    [InlineData(503, "Wed, 21 Oct 2015 07:28:00 GMT", 0)]
    [InlineData(503, "Fri, 31 Dec 9999 23:59:59 GMT", 3600)]
    public async Task Retry_After_is_kept_to_within_bounds(int status, string retryAfter, int seconds)
    {
        await using var receiver = new WebhookReceiver((_, connection) =>
            WebhookReceiver.AnswerStatus(connection, status, $"Retry-After: {retryAfter}\r\n"));
        var result = await Send(receiver.Url);
        Assert.Equal($"http {status}", result.Reason);
        Assert.Equal(TimeSpan.FromSeconds(seconds), result.RetryAfter);
    }

    [Fact]
    public async Task Retry_After_may_be_a_date()
    {
        var date = TimeProvider.System.GetUtcNow().AddSeconds(100).ToString("R", CultureInfo.InvariantCulture);
        await using var receiver = new WebhookReceiver((_, connection) =>
            WebhookReceiver.AnswerStatus(connection, 503, $"Retry-After: {date}\r\n"));
        Assert.InRange((await Send(receiver.Url)).RetryAfter.TotalSeconds, 30, 100);
    }

    [Theory]
    [InlineData("")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab")]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab")]
    public async Task An_answer_that_hangs_is_cut_by_the_time_limit(string begun)
    {
        await using var receiver = new WebhookReceiver(async (_, connection) =>
        {
            await connection.Send(begun);
            await connection.UntilGone();
        });
        Assert.Equal(new WebhookResult(WebhookOutcome.Failed, "timeout"), await Send(receiver.Url, Short));
    }

    [Theory]
    [InlineData("HTTP/1.1 200 OK\r\nX: ", "y")]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\na\r\n")]
    [InlineData("", "HTTP/1.1 103 Early\r\n\r\n")]
    public async Task An_answer_that_drips_is_cut_by_the_time_limit(string begun, string drop)
    {
        await using var receiver = new WebhookReceiver(async (_, connection) =>
        {
            await connection.Send(begun);
            await connection.SendWithoutEnd(drop, TimeSpan.FromMilliseconds(20));
        });
        Assert.Equal(new WebhookResult(WebhookOutcome.Failed, "timeout"), await Send(receiver.Url, Short));
    }

    [Theory]
    [InlineData("220 mail.example ESMTP\r\n", "bad answer")]
    [InlineData("HTTP/1.1 2xx OK\r\nContent-Length: 0\r\n\r\n", "bad answer")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort", "closed")]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", "closed")]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "bad answer")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Le", "closed")]
    [InlineData("", "closed")]
    public async Task An_answer_that_is_none_or_breaks_off_is_a_failure(string answer, string reason)
    {
        await using var receiver = new WebhookReceiver(async (_, connection) =>
        {
            await connection.Send(answer);
            connection.Close();
        });
        Assert.Equal(new WebhookResult(WebhookOutcome.Failed, reason), await Send(receiver.Url));
    }

    [Theory]
    [InlineData("")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort")]
    public async Task A_receiver_that_dies_in_its_answer_has_not_acknowledged(string answer)
    {
        await using var receiver = new WebhookReceiver(async (_, connection) =>
        {
            await connection.Send(answer);
            connection.Reset();
        });
        Assert.Equal(new WebhookResult(WebhookOutcome.Failed, "closed"), await Send(receiver.Url));
    }

    [Fact]
    public async Task Too_many_headers_are_a_bad_answer()
    {
        await using var receiver = new WebhookReceiver(async (_, connection) =>
        {
            await connection.Send("HTTP/1.1 200 OK\r\n");
            await connection.SendWithoutEnd($"X: {new string('y', 1000)}\r\n", TimeSpan.Zero);
        });
        Assert.Equal(new WebhookResult(WebhookOutcome.Failed, "bad answer"), await Send(receiver.Url));
    }

    [Fact]
    public async Task An_answer_without_an_end_is_not_read_to_its_end()
    {
        var sent = new TaskCompletionSource<long>();
        await using var receiver = new WebhookReceiver(async (_, connection) =>
        {
            await connection.Send("HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n");
            sent.SetResult(await connection.SendWithoutEnd(new string('y', 10_000), TimeSpan.Zero));
        });
        Assert.Equal(WebhookOutcome.Acknowledged, (await Send(receiver.Url)).Outcome);
        Assert.InRange(await sent.Task, 0, 100_000_000);
    }

    [Fact]
    public async Task Nobody_there_is_a_failure()
    {
        string url;
        await using (var receiver = new WebhookReceiver()) url = receiver.Url;
        Assert.Equal(new WebhookResult(WebhookOutcome.Failed, "refused"), await Send(url));
    }

    [Fact]
    public async Task Connections_are_used_again_until_there_are_too_many()
    {
        await using var receiver = new WebhookReceiver();
        using (var keeping = Sender())
        {
            for (var i = 0; i < 3; i++)
                await keeping.Send(Target(receiver.Url), Message(), CancellationToken.None);
        }
        Assert.Equal(1, receiver.Connections);

        await using var other = new WebhookReceiver();
        using var closing = Sender(new WebhooksOptions { AllowPrivateAddresses = true, Connections = 1 });
        await closing.Send(Target(receiver.Url), Message(), CancellationToken.None);
        for (var i = 0; i < 3; i++) await closing.Send(Target(other.Url), Message(), CancellationToken.None);
        Assert.Equal(3, other.Connections);
        Assert.All(other.Requests, request => Assert.Equal("close", request.Headers["Connection"]));
    }

    [Fact]
    public async Task Who_gives_up_is_given_no_result()
    {
        using var cancel = new CancellationTokenSource();
        await using var receiver = new WebhookReceiver(async (_, connection) =>
        {
            await cancel.CancelAsync();
            await connection.UntilGone();
        });
        using var sender = Sender();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() =>
            sender.Send(Target(receiver.Url), Message(), cancel.Token));
    }
}
