namespace OrleansEvents.Storage.Sqlite;

/// <summary>The names of the files in the data folder.</summary>
internal static class SqliteFiles
{
    public const string Name = "events.db";
    public const string LockName = "events.lock";

    /// <summary>The file itself, and what SQLite keeps beside it.</summary>
    public static readonly string[] Suffixes = ["", "-wal", "-shm", "-journal"];
}
