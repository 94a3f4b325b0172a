namespace OrleansEvents.Api.Options;

/// <summary>Section <c>Database</c>: how a PostgreSQL is used, by <c>--store postgres</c> and by the nodes of a
/// cluster.</summary>
internal sealed class DatabaseOptions
{
    [Setting("statements that write events at the same time", Unit = "statements", Min = 1, Max = 64)]
    public int Writers { get; init; } = 2;

    [Setting("connections for events, unless the connection string has Maximum Pool Size", Unit = "connections",
        Min = 4, Max = 10_000)]
    public int Connections { get; init; } = 20;

    [Setting("longest that a statement may take until it counts as lost, unless the connection string has Command "
        + "Timeout; the database ends it then too", Unit = "seconds", Min = 1, Max = 3600)]
    public TimeSpan StatementTimeout { get; init; } = TimeSpan.FromSeconds(5);

    [Setting("longest wait for the end of a statement that was lost before its connection is cut, unless the "
        + "connection string has Cancellation Timeout", Unit = "seconds", Min = 0.001, Max = 3600)]
    public TimeSpan CancelTimeout { get; init; } = TimeSpan.FromSeconds(1);

    [Setting("longest that connecting, or waiting for a free connection, may take, unless the connection string has "
        + "Timeout", Unit = "seconds", Min = 1, Max = 1024)]
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(5);

    [Setting("of several hosts in the connection string: how late the one that has taken over is found, unless it has "
        + "Host Recheck Seconds", Unit = "seconds", Min = 1, Max = 3600)]
    public TimeSpan RecheckServers { get; init; } = TimeSpan.FromSeconds(1);

    [Setting("writes in one statement", Unit = "writes", Min = 1, Max = 100_000)]
    public int GroupWrites { get; init; } = 4096;

    [Setting("bytes of events in one statement, unless one write alone has more", Unit = "bytes", Min = 1024,
        Max = 268_435_456)]
    public int GroupBytes { get; init; } = 16 << 20;
}
