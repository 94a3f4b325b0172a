using SQLitePCL;

namespace OrleansEvents.Storage.Sqlite;

/// <summary>
/// One connection to the file. It is used by one thread at a time. It speaks to SQLite directly and not through
/// ADO.NET: events are bound from and read into buffers that exist already.
/// </summary>
internal sealed class SqliteDatabase : IDisposable
{
    private const int BusyMs = 5000;

    private readonly sqlite3 _handle;
    private readonly List<SqliteStatement> _statements = [];

    private SqliteDatabase(sqlite3 handle) => _handle = handle;

    /// <summary>No transaction is open.</summary>
    public bool IsIdle => raw.sqlite3_get_autocommit(_handle) != 0;

    /// <summary>Rows changed by the last statement.</summary>
    public int Changes => raw.sqlite3_changes(_handle);

    public static SqliteDatabase OpenReadWrite(string path) => Open(path, raw.SQLITE_OPEN_READWRITE);

    public static SqliteDatabase OpenReadOnly(string path) => Open(path, raw.SQLITE_OPEN_READONLY);

    public static SqliteDatabase Create(string path) =>
        Open(path, raw.SQLITE_OPEN_READWRITE | raw.SQLITE_OPEN_CREATE);

    /// <summary>A statement that lives as long as the connection.</summary>
    public SqliteStatement Prepare(string sql)
    {
        Check(raw.sqlite3_prepare_v3(_handle, sql, raw.SQLITE_PREPARE_PERSISTENT, out var prepared));
        var statement = new SqliteStatement(this, prepared);
        _statements.Add(statement);
        return statement;
    }

    /// <summary>Runs one or several statements whose rows, if any, do not matter.</summary>
    public void Execute(string sql) => Check(raw.sqlite3_exec(_handle, sql));

    /// <summary>Runs one statement; says how many rows it changed.</summary>
    public int Change(string sql)
    {
        Execute(sql);
        return Changes;
    }

    /// <summary>The number in the first column of the first row.</summary>
    public long Number(string sql)
    {
        Check(raw.sqlite3_prepare_v2(_handle, sql, out var prepared));
        using var statement = new SqliteStatement(this, prepared);
        return statement.Step() ? statement.Long(0) : 0;
    }

    /// <summary>All texts in the first column.</summary>
    public List<string> Texts(string sql)
    {
        Check(raw.sqlite3_prepare_v2(_handle, sql, out var prepared));
        using var statement = new SqliteStatement(this, prepared);
        var texts = new List<string>();
        while (statement.Step()) texts.Add(statement.Text(0));
        return texts;
    }

    /// <summary>Ends a long statement with SQLITE_INTERRUPT as soon as <paramref name="stop"/> says so.</summary>
    public void InterruptWhen(Func<bool>? stop)
    {
        const int instructions = 1000;
        delegate_progress? progress = stop is null ? null : _ => stop() ? 1 : 0;
        raw.sqlite3_progress_handler(_handle, instructions, progress, null);
    }

    public void Check(int code)
    {
        if (code is raw.SQLITE_OK or raw.SQLITE_DONE or raw.SQLITE_ROW) return;
        throw new SqliteFailure(code, raw.sqlite3_errmsg(_handle).utf8_to_string());
    }

    public void Dispose()
    {
        foreach (var statement in _statements) statement.Dispose();
        _statements.Clear();
        raw.sqlite3_close_v2(_handle);
        _handle.Dispose();
    }

    private static SqliteDatabase Open(string path, int flags)
    {
        Batteries_V2.Init();
        var code = raw.sqlite3_open_v2(path, out var handle, flags | raw.SQLITE_OPEN_NOMUTEX, null);
        var database = new SqliteDatabase(handle);
        try
        {
            database.Check(code);
            raw.sqlite3_extended_result_codes(handle, 1);
            raw.sqlite3_busy_timeout(handle, BusyMs);
            return database;
        }
        catch
        {
            database.Dispose();
            throw;
        }
    }
}
