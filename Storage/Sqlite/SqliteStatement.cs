using SQLitePCL;

namespace OrleansEvents.Storage.Sqlite;

/// <summary>A prepared statement: bind from 1, step, read columns from 0, reset. What a column gives is valid until
/// the next step or reset.</summary>
internal sealed class SqliteStatement(SqliteDatabase database, sqlite3_stmt handle) : IDisposable
{
    public SqliteStatement Bind(int index, long value)
    {
        database.Check(raw.sqlite3_bind_int64(handle, index, value));
        return this;
    }

    public SqliteStatement Bind(int index, ulong value) => Bind(index, unchecked((long)value));

    public SqliteStatement Bind(int index, long? value)
    {
        if (value is { } known) return Bind(index, known);
        database.Check(raw.sqlite3_bind_null(handle, index));
        return this;
    }

    public SqliteStatement Bind(int index, string? value)
    {
        database.Check(value is null
            ? raw.sqlite3_bind_null(handle, index) : raw.sqlite3_bind_text(handle, index, value));
        return this;
    }

    public SqliteStatement Bind(int index, ReadOnlySpan<byte> value)
    {
        // An empty span has no address, and SQLite takes a blob without an address for null.
        database.Check(value.IsEmpty
            ? raw.sqlite3_bind_zeroblob(handle, index, 0) : raw.sqlite3_bind_blob(handle, index, value));
        return this;
    }

    /// <summary>The next row; false when there is none, and then the statement is reset already.</summary>
    public bool Step()
    {
        var code = raw.sqlite3_step(handle);
        if (code == raw.SQLITE_ROW) return true;
        try
        {
            database.Check(code);
        }
        finally
        {
            Reset();
        }
        return false;
    }

    /// <summary>Runs a statement without rows.</summary>
    public void Run()
    {
        while (Step())
        {
        }
    }

    /// <summary>Runs a statement without rows; says how many it changed.</summary>
    public int Change()
    {
        Run();
        return database.Changes;
    }

    // A read statement that is not reset keeps its snapshot, and the log cannot be checkpointed beyond it.
    public void Reset() => raw.sqlite3_reset(handle);

    public bool IsNull(int column) => raw.sqlite3_column_type(handle, column) == raw.SQLITE_NULL;

    public long Long(int column) => raw.sqlite3_column_int64(handle, column);

    public long? LongOrNull(int column) => IsNull(column) ? null : Long(column);

    public string Text(int column) => raw.sqlite3_column_text(handle, column).utf8_to_string() ?? "";

    public string? TextOrNull(int column) => IsNull(column) ? null : Text(column);

    public ReadOnlySpan<byte> Blob(int column) => raw.sqlite3_column_blob(handle, column);

    public void Dispose() => handle.Dispose();
}
