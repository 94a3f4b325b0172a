namespace OrleansEvents.Storage.Sqlite;

/// <summary>Where the log lies, and what it may take.</summary>
public sealed record SqliteOptions
{
    /// <summary>The data folder; made if it is missing. It may hold other files.</summary>
    public required string Folder { get; init; }

    /// <summary>Page cache of the writer, and of each reader.</summary>
    public long CacheBytes { get; init; } = 16 << 20;

    /// <summary>Threads that read, each with its own connection.</summary>
    public int Readers { get; init; } = 2;

    /// <summary>Pages in the write-ahead log at which they are moved into the file.</summary>
    public int CheckpointPages { get; init; } = 8000;

    /// <summary>Writes in one transaction at most.</summary>
    public int GroupWrites { get; init; } = 8192;

    /// <summary>How long checking the file at start may take; what is not reached by then is not checked.</summary>
    public TimeSpan CheckLimit { get; init; } = TimeSpan.FromSeconds(3);

    /// <summary>The file's largest size: a full one refuses writes as a full disk does. Null: no limit.</summary>
    public long? MaxBytes { get; init; }
}
