namespace OrleansEvents.Streams;

/// <summary>Bounds that the server sets for every stream.</summary>
/// <param name="Keys">Keys that a stream remembers at once; beyond, publishing with a key is
/// <c>RATE_LIMITED</c>.</param>
/// <param name="StagedBytes">Bytes of events that may wait for a commit; beyond, <c>STORE_UNAVAILABLE</c>.</param>
/// <param name="VoidAfter">How long ordinary events wait behind a pending batch before it is made void.</param>
/// <param name="CommitLimit">How long a batch may be pending when nothing waits behind it.</param>
public sealed record StreamLimits(
    int Keys = 1_000_000,
    int StagedBytes = 32 << 20,
    TimeSpan? VoidAfter = null,
    TimeSpan? CommitLimit = null)
{
    internal long VoidAfterMs => (long)(VoidAfter ?? TimeSpan.FromSeconds(1)).TotalMilliseconds;

    internal long CommitLimitMs => (long)(CommitLimit ?? TimeSpan.FromSeconds(5)).TotalMilliseconds;
}

/// <summary>One event of an answered publish.</summary>
public readonly record struct PublishedEvent(Cursor Id, bool Duplicate);

/// <summary>What publishing answers.</summary>
/// <param name="First">The first event's id; of all duplicates, the first publish's.</param>
/// <param name="Last">The last event's id.</param>
/// <param name="Count">Events appended now.</param>
/// <param name="Duplicates">Events that were there already.</param>
/// <param name="Durable">Whether they are on storage.</param>
public readonly record struct Published(Cursor First, Cursor Last, int Count, int Duplicates, bool Durable);

/// <summary>What <see cref="EventStream.Append"/> decided: one of a refusal, a batch to await before trying again,
/// or an answer, valid at once or with its pending batch's outcome.</summary>
public readonly record struct AppendResult
{
    /// <summary>Refused: nothing was appended.</summary>
    public Refusal? Refusal { get; init; }

    /// <summary>A key's first publish is still being written: await its outcome, then append again.</summary>
    public PendingBatch? AwaitFirst { get; init; }

    /// <summary>The answer.</summary>
    public Published Published { get; init; }

    /// <summary>The answer holds when this batch's outcome is true; null: at once.</summary>
    public PendingBatch? Pending { get; init; }

    internal static AppendResult Refused(ErrorCode code, string detail, TimeSpan? retryAfter = null) =>
        new() { Refusal = new Refusal(code, detail, retryAfter) };
}
