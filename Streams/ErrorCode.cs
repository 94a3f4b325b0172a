namespace OrleansEvents.Streams;

/// <summary>Every code of a refusal, a problem answer or a <c>problem</c> frame, in the contract's order.</summary>
public enum ErrorCode
{
    /// <summary>Malformed JSON, an unknown member, a bad name, cursor, limit, method or type of content.</summary>
    InvalidInput,

    /// <summary>No or bad credentials.</summary>
    Unauthenticated,

    /// <summary>Credentials without the right to this stream.</summary>
    PermissionDenied,

    /// <summary>No such subscriber, connection, event or resource. Reading a stream waits instead.</summary>
    NotFound,

    /// <summary>Publishing to a stream that has ended.</summary>
    StreamCompleted,

    /// <summary>A key was used again with other content.</summary>
    KeyConflict,

    /// <summary>Over the limit of an event or of a request, in bytes or in events.</summary>
    EventTooLarge,

    /// <summary>Over the caller's rate or connections.</summary>
    RateLimited,

    /// <summary>A <c>block</c> subscriber's debt is at its bound: refused, not dropped.</summary>
    BacklogFull,

    /// <summary>Storage did not answer. The publish may have happened: retry with the same key.</summary>
    StoreUnavailable,

    /// <summary>Storage failed a moment ago and is not asked until its circuit closes.</summary>
    CircuitOpen,

    /// <summary>The operation passed its time limit.</summary>
    Timeout,

    /// <summary>The server is draining.</summary>
    ServerShutdown,

    /// <summary>A fault of the server, with a trace id.</summary>
    ServerError,

    /// <summary>An event that could not be encoded.</summary>
    JsonMarshalError,

    /// <summary>The reader does not take what it is sent; said before it is dropped.</summary>
    SlowClient,

    /// <summary>No <c>pong</c> in time; the connection is closed.</summary>
    StaleConnection,

    /// <summary>A connection ended unexpectedly; said on <c>$system</c>.</summary>
    ClientDisconnected,

    /// <summary>A source answered with an error.</summary>
    SourceFailure,

    /// <summary>A source's circuit is open; its last state is served.</summary>
    SourceUnavailable,

    /// <summary>A source answers again.</summary>
    SourceRecovered,

    /// <summary>A webhook was switched off after repeated failures.</summary>
    WebhookDisabled,
}

/// <summary>The names that error codes have outside the process.</summary>
public static class ErrorCodes
{
    /// <summary>The code as answers and frames carry it, for example <c>INVALID_INPUT</c>.</summary>
    public static string WireName(this ErrorCode code) => code switch
    {
        ErrorCode.InvalidInput => "INVALID_INPUT",
        ErrorCode.Unauthenticated => "UNAUTHENTICATED",
        ErrorCode.PermissionDenied => "PERMISSION_DENIED",
        ErrorCode.NotFound => "NOT_FOUND",
        ErrorCode.StreamCompleted => "STREAM_COMPLETED",
        ErrorCode.KeyConflict => "KEY_CONFLICT",
        ErrorCode.EventTooLarge => "EVENT_TOO_LARGE",
        ErrorCode.RateLimited => "RATE_LIMITED",
        ErrorCode.BacklogFull => "BACKLOG_FULL",
        ErrorCode.StoreUnavailable => "STORE_UNAVAILABLE",
        ErrorCode.CircuitOpen => "CIRCUIT_OPEN",
        ErrorCode.Timeout => "TIMEOUT",
        ErrorCode.ServerShutdown => "SERVER_SHUTDOWN",
        ErrorCode.ServerError => "SERVER_ERROR",
        ErrorCode.JsonMarshalError => "JSON_MARSHAL_ERROR",
        ErrorCode.SlowClient => "SLOW_CLIENT",
        ErrorCode.StaleConnection => "STALE_CONNECTION",
        ErrorCode.ClientDisconnected => "CLIENT_DISCONNECTED",
        ErrorCode.SourceFailure => "SOURCE_FAILURE",
        ErrorCode.SourceUnavailable => "SOURCE_UNAVAILABLE",
        ErrorCode.SourceRecovered => "SOURCE_RECOVERED",
        ErrorCode.WebhookDisabled => "WEBHOOK_DISABLED",
        _ => throw new ArgumentOutOfRangeException(nameof(code), code, "not an error code"),
    };
}
