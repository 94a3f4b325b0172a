namespace OrleansEvents.Streams;

/// <summary>How many events a request may hold, and how many bytes each, before it is EVENT_TOO_LARGE.</summary>
/// <param name="Events">Events in one request.</param>
/// <param name="EventBytes">Bytes of one event's JSON object.</param>
public readonly record struct PublishLimits(int Events, int EventBytes)
{
    /// <summary>10,000 events of 256 KiB.</summary>
    public static PublishLimits Default => new(10_000, 256 * 1024);
}

/// <summary>What a request's body is said to be.</summary>
public enum PublishForm
{
    /// <summary>One JSON object, or an array of them.</summary>
    Json,

    /// <summary>A JSON object on each line; lines end in LF or CRLF, blank ones are skipped.</summary>
    Ndjson,

    /// <summary>A CloudEvent as a JSON object (structured mode).</summary>
    CloudEvent,

    /// <summary>An array of such objects (batched mode).</summary>
    CloudEvents,
}
