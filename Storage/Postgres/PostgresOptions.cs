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

    /// <summary>Writes in one statement at most.</summary>
    public int GroupWrites { get; init; } = 4096;

    /// <summary>Bytes of events in one statement at most, but for one that has more alone.</summary>
    public int GroupBytes { get; init; } = 16 << 20;
}
