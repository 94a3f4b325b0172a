namespace OrleansEvents.Client;

/// <summary>What to read and from where.</summary>
public sealed record ReadOptions
{
    /// <summary>
    /// A cursor to go on from, <c>0</c> for everything that is retained, <c>$</c> for what comes from now on.
    /// Null: the whole buffer, without a gap.
    /// </summary>
    public string? After { get; init; }

    /// <summary>Only events of these types. Empty: all. Not together with <see cref="Subscriber"/>.</summary>
    public IReadOnlyList<string> Types { get; init; } = [];

    /// <summary>Reads on behalf of this subscriber, which the server registers by its first read.</summary>
    public string? Subscriber { get; init; }

    /// <summary>A name for this reader, by which the server counts its reconnects.</summary>
    public string? ClientId { get; init; }

    /// <summary>The time between heartbeats; null takes the server's (10 seconds).</summary>
    public TimeSpan? Heartbeat { get; init; }
}
