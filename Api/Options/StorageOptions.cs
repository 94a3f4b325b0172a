namespace OrleansEvents.Api.Options;

internal enum StoreKind
{
    Sqlite,
    Memory,
    Postgres,
}

/// <summary>Section <c>Storage</c>: where durable events live.</summary>
internal sealed class StorageOptions
{
    [Setting("what holds durable events: sqlite, postgres, or memory (nothing survives a stop). Short: --store")]
    public StoreKind Store { get; init; } = StoreKind.Sqlite;

    [Setting("folder of the data. Short: --data")]
    public string Data { get; init; } = "./data";

    [Setting("connection string of the database for --store postgres. Short: --postgres")]
    public string? Postgres { get; init; }

    [Setting("copy what is readable of a damaged file aside and start with it. Short: --repair")]
    public bool Repair { get; init; }

    [Setting("how long storage is not asked after it failed", Unit = "seconds", Min = 0.01, Max = 300)]
    public TimeSpan CircuitOpen { get; init; } = TimeSpan.FromSeconds(1);
}
