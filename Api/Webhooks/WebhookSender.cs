using System.Buffers;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Security.Authentication;
using OrleansEvents.Api.Options;

namespace OrleansEvents.Api.Webhooks;

/// <summary>
/// Sends one event to one endpoint, once. Everything that the endpoint does, or does not do, is a result; only the
/// caller's own cancellation throws. A 2xx acknowledges when its answer is whole, or longer than is read of any: one
/// that breaks off may have come from something before the receiver.
/// </summary>
internal sealed class WebhookSender : IDisposable
{
    private const int FirstRedirect = 300;
    private const int FirstClientError = 400;
    private static readonly MediaTypeHeaderValue s_json = new("application/json");
    private static readonly MediaTypeHeaderValue s_cloudEvent = new("application/cloudevents+json");
    private static readonly string s_agent = $"OrleansEvents/{ApiHost.Version}";

    private readonly WebhooksOptions _options;
    private readonly TimeProvider _time;
    private readonly WebhookConnections _connections;
    private readonly HttpMessageInvoker _keeping;
    private readonly HttpMessageInvoker _closing;

    public WebhookSender(WebhooksOptions options, TimeProvider time, AddressLookup? lookup = null)
    {
        (_options, _time) = (options, time);
        _connections = new WebhookConnections(options, lookup ?? Dns.GetHostAddressesAsync);
        _keeping = new HttpMessageInvoker(_connections.MakeHandler(kept: true));
        _closing = new HttpMessageInvoker(_connections.MakeHandler(kept: false));
    }

    public void Dispose()
    {
        _keeping.Dispose();
        _closing.Dispose();
    }

    public async Task<WebhookResult> Send(WebhookTarget target, WebhookMessage message, CancellationToken cancel)
    {
        using var limit = new CancellationTokenSource(target.Timeout, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancel);
        using var request = RequestOf(target, message);
        var http = _connections.AreMany ? _closing : _keeping;
        if (http == _closing) request.Headers.ConnectionClose = true;
        try
        {
            using var answer = await http.SendAsync(request, either.Token);
            if (answer.IsSuccessStatusCode) await Discard(answer.Content, either.Token);
            return ResultOf(answer);
        }
        catch (Exception failure) when (!cancel.IsCancellationRequested
            && failure is HttpRequestException or IOException or OperationCanceledException)
        {
            return new WebhookResult(WebhookOutcome.Failed, ReasonOf(failure));
        }
    }

    private HttpRequestMessage RequestOf(WebhookTarget target, WebhookMessage message)
    {
        var timestamp = _time.GetUtcNow().ToUnixTimeSeconds();
        var request = new HttpRequestMessage(HttpMethod.Post, target.Url)
        {
            Version = HttpVersion.Version11,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = new ReadOnlyMemoryContent(message.Body),
        };
        request.Content.Headers.ContentType = target.AsCloudEvent ? s_cloudEvent : s_json;
        request.Headers.Add("User-Agent", s_agent);
        request.Headers.Add("webhook-id", message.Id);
        request.Headers.Add("webhook-timestamp", timestamp.ToString(CultureInfo.InvariantCulture));
        request.Headers.Add("webhook-signature", target.Secrets.Sign(message.Id, timestamp, message.Body.Span));
        if (message.TraceParent is { } trace) request.Headers.Add("traceparent", trace);
        return request;
    }

    private async Task Discard(HttpContent content, CancellationToken cancel)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(4096);
        try
        {
            await using var body = await content.ReadAsStreamAsync(cancel);
            var left = _options.AnswerBytes;
            while (left > 0 && await body.ReadAsync(buffer, cancel) is > 0 and var read) left -= read;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private WebhookResult ResultOf(HttpResponseMessage answer)
    {
        var status = (int)answer.StatusCode;
        if (answer.IsSuccessStatusCode) return new(WebhookOutcome.Acknowledged, Status(status));
        if (answer.StatusCode == HttpStatusCode.Gone) return new(WebhookOutcome.Gone, Status(status));
        var reason = status is >= FirstRedirect and < FirstClientError ? "redirect" : Status(status);
        return new(WebhookOutcome.Failed, reason, RetryAfter(answer.Headers.RetryAfter));
    }

    private TimeSpan RetryAfter(RetryConditionHeaderValue? asked)
    {
        var wait = asked?.Delta ?? (asked?.Date - _time.GetUtcNow()) ?? TimeSpan.Zero;
        return wait < TimeSpan.Zero ? TimeSpan.Zero : wait > _options.RetryAfter ? _options.RetryAfter : wait;
    }

    private static string Status(int status) => string.Create(CultureInfo.InvariantCulture, $"http {status}");

    private static string ReasonOf(Exception failure)
    {
        for (var cause = failure; cause is not null; cause = cause.InnerException)
        {
            if (cause is OperationCanceledException or TimeoutException) return "timeout";
            if (cause is AddressRefusedException) return "address";
            if (cause is AuthenticationException) return "tls";
            if (cause is SocketException socket) return ReasonOf(socket.SocketErrorCode);
        }
        return ((failure as HttpRequestException)?.HttpRequestError
            ?? (failure as HttpIOException)?.HttpRequestError) switch
        {
            HttpRequestError.InvalidResponse or HttpRequestError.ConfigurationLimitExceeded => "bad answer",
            HttpRequestError.NameResolutionError => "dns",
            HttpRequestError.SecureConnectionError => "tls",
            _ => "closed",
        };
    }

    private static string ReasonOf(SocketError error) => error switch
    {
        SocketError.ConnectionRefused => "refused",
        SocketError.TimedOut => "timeout",
        SocketError.HostNotFound or SocketError.TryAgain or SocketError.NoData or SocketError.NoRecovery => "dns",
        SocketError.ConnectionReset or SocketError.ConnectionAborted or SocketError.Shutdown => "closed",
        _ => "unreachable",
    };
}
