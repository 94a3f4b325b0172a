using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text.Json;

namespace OrleansEvents.Client;

/// <summary>Makes the exception of an answer that is not a success, or of no answer at all.</summary>
internal static class Problem
{
    // Another server's error page may be of any size.
    private const int LargestProblem = 64 * 1024;

    public static async Task<EventsException> OfAsync(
        HttpResponseMessage answer, TimeProvider time, CancellationToken cancellationToken)
    {
        var document = await DocumentAsync(answer, cancellationToken).ConfigureAwait(false);
        var status = answer.StatusCode;
        var detail = document?.Text("detail") ?? document?.Text("title")
            ?? $"the server answered {(int)status} {answer.ReasonPhrase}".TrimEnd();
        return new EventsException(document?.Text("code") ?? CodeOf(status), detail, status)
        {
            Component = document?.Text("component"),
            Severity = document?.Text("severity"),
            RetryAfter = Wait(answer.Headers.RetryAfter, time),
        };
    }

    public static EventsException Of(HttpRequestException unreachable) =>
        // A socket's own message lacks the address, and the others' outer message lacks the cause.
        new(
            EventsException.NetworkError,
            unreachable.InnerException is SocketException ? unreachable.Message : Innermost(unreachable).Message,
            inner: unreachable);

    public static EventsException Of(IOException cut) =>
        new(EventsException.NetworkError, "the connection was cut: " + Innermost(cut).Message, inner: cut);

    public static EventsException NoAnswer(TimeSpan waited) =>
        new(EventsException.TimedOut, FormattableString.Invariant($"no answer within {waited.TotalSeconds:0.###} s"));

    private static Exception Innermost(Exception failure) =>
        failure.InnerException is { } inner ? Innermost(inner) : failure;

    private static TimeSpan? Wait(RetryConditionHeaderValue? retryAfter, TimeProvider time)
    {
        var wait = retryAfter?.Delta ?? (retryAfter?.Date - time.GetUtcNow());
        return wait < TimeSpan.Zero ? TimeSpan.Zero : wait;
    }

    private static async Task<JsonElement?> DocumentAsync(
        HttpResponseMessage answer, CancellationToken cancellationToken)
    {
        if (answer.Content.Headers.ContentType?.MediaType is not ("application/problem+json" or "application/json"))
            return null;
        try
        {
            await answer.Content.LoadIntoBufferAsync(LargestProblem, cancellationToken).ConfigureAwait(false);
            var body = await answer.Content.ReadAsByteArrayAsync(cancellationToken).ConfigureAwait(false);
            return JsonElement.Parse(body);
        }
        catch (Exception unreadable) when (unreadable is JsonException or HttpRequestException or IOException)
        {
            return null;
        }
    }

    private static string CodeOf(HttpStatusCode status) => status switch
    {
        HttpStatusCode.Unauthorized => "UNAUTHENTICATED",
        HttpStatusCode.Forbidden => "PERMISSION_DENIED",
        HttpStatusCode.NotFound => "NOT_FOUND",
        HttpStatusCode.RequestEntityTooLarge => "EVENT_TOO_LARGE",
        HttpStatusCode.TooManyRequests => "RATE_LIMITED",
        HttpStatusCode.GatewayTimeout => EventsException.TimedOut,
        >= HttpStatusCode.InternalServerError => "SERVER_ERROR",
        _ => "INVALID_INPUT",
    };
}
