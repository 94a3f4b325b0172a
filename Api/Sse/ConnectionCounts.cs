namespace OrleansEvents.Api.Sse;

/// <summary>
/// What has happened on connections since the server began. Only what is rare is counted here as it happens; events and
/// bytes are counted by each connection for itself, and <see cref="ConnectionTable"/> adds them up when asked.
/// </summary>
internal sealed class ConnectionCounts
{
    public Tally Opened { get; } = new();

    public Tally Ended { get; } = new();

    /// <summary>Of those opened, by clients that had been here before (<c>client=</c>).</summary>
    public Tally Reconnects { get; } = new();

    /// <summary>Ended by the client, or by the network.</summary>
    public Tally Disconnects { get; } = new();

    /// <summary>Closed because they took nothing.</summary>
    public Tally SlowClientDrops { get; } = new();

    /// <summary>Closed because a ping was not answered.</summary>
    public Tally StaleConnections { get; } = new();

    /// <summary>Readings from storage that failed.</summary>
    public Tally ReadErrors { get; } = new();

    /// <summary>Writes to a connection that failed.</summary>
    public Tally WriteErrors { get; } = new();

    /// <summary>Ended by a fault of the server.</summary>
    public Tally Faults { get; } = new();

    public Tally PingsSent { get; } = new();

    public Tally PingsAnswered { get; } = new();

    /// <summary>Pings that nobody answered in time.</summary>
    public Tally PingsFailed { get; } = new();

    /// <summary>Frames beside the line that were not kept for a reader that did not take them.</summary>
    public Tally NoticesDropped { get; } = new();

    /// <summary>Open connections.</summary>
    // In this order: what ends between the two has been opened.
    public int TotalClients => (int)(-Ended.Total + Opened.Total);

    /// <summary>Whatever went wrong, of all kinds.</summary>
    public long ErrorCount => SlowClientDrops.Total + StaleConnections.Total + ReadErrors.Total + WriteErrors.Total
        + Faults.Total;
}

/// <summary>A number that only grows.</summary>
internal sealed class Tally
{
    private long _total;

    public long Total => Volatile.Read(ref _total);

    public void Add() => Interlocked.Increment(ref _total);
}
