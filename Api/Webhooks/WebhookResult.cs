namespace OrleansEvents.Api.Webhooks;

/// <summary>What comes of one request.</summary>
internal enum WebhookOutcome
{
    /// <summary>A whole 2xx answer: the event is acknowledged.</summary>
    Acknowledged,

    /// <summary>Anything that another attempt may change.</summary>
    Failed,

    /// <summary>410: the receiver wants nothing any more.</summary>
    Gone,
}

/// <param name="Outcome">What came of it.</param>
/// <param name="Reason">A word or two for the event's history, such as <c>http 503</c> or <c>timeout</c>.</param>
/// <param name="RetryAfter">The receiver asked not to be tried before; bounded. Zero: it did not.</param>
internal readonly record struct WebhookResult(WebhookOutcome Outcome, string Reason, TimeSpan RetryAfter = default);

/// <summary>One event on its way.</summary>
/// <param name="Id">The same over retries; without a full stop, as the signature needs it.</param>
/// <param name="Body">What is sent and signed.</param>
/// <param name="TraceParent">The trace that the event belongs to, when it does.</param>
internal readonly record struct WebhookMessage(string Id, ReadOnlyMemory<byte> Body, string? TraceParent);
