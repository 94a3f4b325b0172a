using System.Net;

namespace OrleansEvents.Client;

/// <summary>
/// The server refused, or could not be reached. <see cref="Code"/> is the server's own code, or one of the client's:
/// <c>NETWORK_ERROR</c> (no connection) and <c>TIMEOUT</c> (no answer in time).
/// </summary>
public sealed class EventsException : Exception
{
    internal const string NetworkError = "NETWORK_ERROR";
    internal const string TimedOut = "TIMEOUT";

    internal EventsException(string code, string detail, HttpStatusCode? status = null, Exception? inner = null)
        : base($"{code}: {detail}", inner)
    {
        Code = code;
        Detail = detail;
        Status = status;
    }

    /// <summary>What went wrong, such as <c>STREAM_COMPLETED</c> or <c>NETWORK_ERROR</c>.</summary>
    public string Code { get; }

    /// <summary>One sentence for a person.</summary>
    public string Detail { get; }

    /// <summary>The answer's status; null when there was no answer.</summary>
    public HttpStatusCode? Status { get; }

    /// <summary>The part of the server that refused, when it said so.</summary>
    public string? Component { get; internal init; }

    /// <summary><c>warning</c>, <c>error</c> or <c>critical</c>, when the server said so.</summary>
    public string? Severity { get; internal init; }

    /// <summary>How long the server asked to wait before the next attempt.</summary>
    public TimeSpan? RetryAfter { get; internal init; }

    /// <summary>Whether waiting and trying again may help: no connection, no answer, 429, 502, 503 or 504.</summary>
    public bool IsTransient => Status is null
        or HttpStatusCode.RequestTimeout
        or HttpStatusCode.TooManyRequests
        or HttpStatusCode.BadGateway
        or HttpStatusCode.ServiceUnavailable
        or HttpStatusCode.GatewayTimeout;

    /// <summary>Whether what goes on by itself tries again: a fault of the server may pass, too.</summary>
    internal bool MayMend => IsTransient || Status >= HttpStatusCode.InternalServerError;
}
