namespace OrleansEvents.Streams;

/// <summary>Why something was refused or failed; the codes of the contract's section 8, in its order.</summary>
public enum ErrorCode
{
    InvalidInput,
    Unauthenticated,
    PermissionDenied,
    NotFound,
    StreamCompleted,
    KeyConflict,
    EventTooLarge,
    RateLimited,
    BacklogFull,
    StoreUnavailable,
    CircuitOpen,
    Timeout,
    ServerShutdown,
    ServerError,
    JsonMarshalError,
    SlowClient,
    StaleConnection,
    ClientDisconnected,
    SourceFailure,
    SourceUnavailable,
    SourceRecovered,
    WebhookDisabled,
}
