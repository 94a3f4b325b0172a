namespace OrleansEvents.Storage.Postgres;

/// <summary>Which database, and how it is written.</summary>
public sealed record PostgresOptions
{
    /// <summary>An Npgsql connection string. Its search path, if it has one, is the schema of the tables.</summary>
    public required string Connection { get; init; }

    /// <summary>Statements that write at the same time; a stream always has the same writer.</summary>
    public int Writers { get; init; } = 2;

    /// <summary>Connections at most, unless the connection string says it.</summary>
    public int Connections { get; init; } = 20;

    /// <summary>How long a statement may take until it counts as lost, unless the connection string says it (Command
    /// Timeout); the server itself ends it then too. At least a second.</summary>
    public TimeSpan StatementTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>How long the end of a statement that was lost is waited for before its connection is cut, unless the
    /// connection string says it (Cancellation Timeout). At least a millisecond.</summary>
    public TimeSpan CancelTimeout { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>How long connecting, or waiting for a free connection, may take, unless the connection string says it
    /// (Timeout). At least a second.</summary>
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>How long what was found out about one of several servers holds, unless the connection string says it
    /// (Host Recheck Seconds): how late the one that has taken over is found. At least a second.</summary>
    public TimeSpan RecheckServers { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Writes in one statement at most.</summary>
    public int GroupWrites { get; init; } = 4096;

    /// <summary>Bytes of events in one statement at most, but for one that has more alone.</summary>
    public int GroupBytes { get; init; } = 16 << 20;
}
