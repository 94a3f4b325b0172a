using System.Text.Json;

namespace OrleansEvents.Client;

/// <summary>
/// One request and its retries. Everything sent through here may be sent twice: publishes carry keys, the rest is
/// idempotent by itself.
/// </summary>
internal sealed class Requests(HttpClient http, EventsClientOptions options, TimeProvider time)
{
    public Task<JsonElement> SendAsync(
        HttpMethod method, Uri address, ReadOnlyMemory<byte>? body, string contentType,
        CancellationToken cancellationToken) =>
        SendAsync(method, address, body, contentType, JsonOfAsync, isUnread: false, cancellationToken);

    /// <summary>Nobody looks into the answer.</summary>
    public Task SendUnreadAsync(
        HttpMethod method, Uri address, ReadOnlyMemory<byte>? body, string contentType,
        CancellationToken cancellationToken) =>
        SendAsync(method, address, body, contentType, IsObjectAsync, isUnread: true, cancellationToken);

    private async Task<T> SendAsync<T>(
        HttpMethod method, Uri address, ReadOnlyMemory<byte>? body, string contentType,
        Func<HttpResponseMessage, CancellationToken, Task<T>> read, bool isUnread,
        CancellationToken cancellationToken)
    {
        for (var retry = 1; ; retry++)
        {
            try
            {
                return await OnceAsync(method, address, body, contentType, read, isUnread, cancellationToken)
                    .ConfigureAwait(false);
            }
            catch (EventsException refusal) when (MayRetry(refusal, retry))
            {
                var delay = Backoff.Delay(
                    retry, options.FirstDelay, options.LongestDelay, refusal.RetryAfter, options.Chance);
                await Task.Delay(delay, time, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    private bool MayRetry(EventsException refusal, int retry) =>
        refusal.IsTransient && retry <= options.Retries && !(refusal.RetryAfter > options.LongestDelay);

    private async Task<T> OnceAsync<T>(
        HttpMethod method, Uri address, ReadOnlyMemory<byte>? body, string contentType,
        Func<HttpResponseMessage, CancellationToken, Task<T>> read, bool isUnread,
        CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(options.RequestTimeout, time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        try
        {
            using var request = new HttpRequestMessage(method, address);
            request.Headers.Accept.Add(new("application/json"));
            // Who does not look into the answer needs no long one.
            if (isUnread)
                request.Headers.TryAddWithoutValidation("Prefer", "return=minimal");
            if (body is { } bytes)
                request.Content = new ReadOnlyMemoryContent(bytes) { Headers = { ContentType = new(contentType) } };
            using var answer = await http.SendAsync(request, both.Token).ConfigureAwait(false);
            if (!answer.IsSuccessStatusCode)
                throw await Problem.OfAsync(answer, time, both.Token).ConfigureAwait(false);
            return await read(answer, both.Token).ConfigureAwait(false);
        }
        catch (HttpRequestException unreachable)
        {
            throw Problem.Of(unreachable);
        }
        catch (IOException cut)
        {
            throw Problem.Of(cut);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            // The limit above, or the HttpClient's own.
            throw Problem.NoAnswer(options.RequestTimeout);
        }
    }

    private static async Task<JsonElement> JsonOfAsync(HttpResponseMessage answer, CancellationToken cancellationToken)
    {
        var body = await answer.Content.ReadAsByteArrayAsync(cancellationToken).ConfigureAwait(false);
        if (body.Length == 0)
            return default;
        try
        {
            return JsonElement.Parse(body);
        }
        catch (JsonException)
        {
            throw NotJson(answer);
        }
    }

    private static async Task<bool> IsObjectAsync(HttpResponseMessage answer, CancellationToken cancellationToken)
    {
        var body = await answer.Content.ReadAsStreamAsync(cancellationToken).ConfigureAwait(false);
        return body.ReadByte() == '{' ? true : throw NotJson(answer);
    }

    private static EventsException NotJson(HttpResponseMessage answer) => new(
        "SERVER_ERROR", "the answer is not JSON: is this an OrleansEvents server?", answer.StatusCode);
}
