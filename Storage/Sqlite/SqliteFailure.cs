using SQLitePCL;

namespace OrleansEvents.Storage.Sqlite;

/// <summary>SQLite answered a call with an error code.</summary>
internal sealed class SqliteFailure(int code, string message) : Exception(message)
{
    /// <summary>The primary code, without its extension.</summary>
    public int Code => code & 0xff;

    /// <summary>The file is not what SQLite wrote: repairing may help, waiting does not.</summary>
    public bool IsDamage => Code is raw.SQLITE_CORRUPT or raw.SQLITE_NOTADB;

    /// <summary>Storage as a whole did not take a write; anything else may be the fault of one write in a group.
    /// A damaged page is such a fault: it lies in one stream's rows.</summary>
    public bool IsStorage => Code is raw.SQLITE_FULL or raw.SQLITE_IOERR or raw.SQLITE_READONLY or raw.SQLITE_CANTOPEN
        or raw.SQLITE_BUSY or raw.SQLITE_LOCKED or raw.SQLITE_PERM or raw.SQLITE_PROTOCOL or raw.SQLITE_NOMEM;

    /// <summary>What an operator reads.</summary>
    public string Text => Code switch
    {
        raw.SQLITE_FULL => $"the disk is full ({Message})",
        raw.SQLITE_IOERR => $"reading or writing failed ({Message}, {code})",
        raw.SQLITE_READONLY or raw.SQLITE_PERM => $"the file is read-only ({Message})",
        raw.SQLITE_CORRUPT or raw.SQLITE_NOTADB => $"the file is damaged ({Message}); --repair keeps what is readable",
        _ => Message,
    };
}
