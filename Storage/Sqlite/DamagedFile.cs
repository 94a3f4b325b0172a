using System.Buffers.Binary;
using SQLitePCL;

namespace OrleansEvents.Storage.Sqlite;

/// <summary>
/// Opens a damaged file for reading. If its first page is beyond use, a copy gets that of a new file: the schema is
/// made by the same steps every time, so the tables of the first step begin where they begin in any file. Those of a
/// later step begin where there was room when the file was upgraded, and that is noted in a table of the first.
/// </summary>
internal sealed class DamagedFile : IDisposable
{
    private const int PageCountAt = 28;
    private const int FreePagesAt = 32;
    private const int FreePagesBytes = 8;

    private readonly string? _copy;

    private DamagedFile(SqliteDatabase database, string? copy) => (Database, _copy) = (database, copy);

    public SqliteDatabase Database { get; }

    /// <param name="path">The damaged file.</param>
    /// <param name="fresh">A new file of the same schema.</param>
    public static DamagedFile Open(string path, string fresh)
    {
        if (TryOpen(path) is { } database) return new DamagedFile(database, null);
        var copy = fresh + ".copy";
        SqliteFiles.Delete(copy);
        File.Copy(path, copy);
        if (File.Exists(path + "-wal")) File.Copy(path + "-wal", copy + "-wal");
        ReplaceFirstPage(copy, fresh);
        PlaceLaterTables(copy);
        return new DamagedFile(SqliteDatabase.OpenReadWrite(copy), copy);
    }

    public void Dispose()
    {
        Database.Dispose();
        if (_copy is not null) SqliteFiles.Delete(_copy);
    }

    private static SqliteDatabase? TryOpen(string path)
    {
        SqliteDatabase? database = null;
        try
        {
            database = SqliteDatabase.OpenReadOnly(path);
            if (database.Number("PRAGMA application_id") == SqliteSchema.ApplicationId
                && database.Number("SELECT count(*) FROM sqlite_master WHERE name = 'runs_of_stream'") == 1)
            {
                return database;
            }
        }
        catch (SqliteFailure failure) when (failure.Code is not raw.SQLITE_IOERR)
        {
            // Not usable as it is.
        }
        database?.Dispose();
        return null;
    }

    private static void ReplaceFirstPage(string copy, string fresh)
    {
        var page = new byte[SqliteSchema.PageBytes];
        using (var from = File.OpenRead(fresh)) from.ReadExactly(page);
        using var to = new FileStream(copy, FileMode.Open, FileAccess.ReadWrite);
        var pages = (uint)(to.Length / SqliteSchema.PageBytes);
        BinaryPrimitives.WriteUInt32BigEndian(page.AsSpan(PageCountAt), pages);
        page.AsSpan(FreePagesAt, FreePagesBytes).Clear();
        to.Write(page);
        if (to.Length % SqliteSchema.PageBytes != 0) to.SetLength((pages + 1L) * SqliteSchema.PageBytes);
    }

    private static void PlaceLaterTables(string copy)
    {
        using var database = SqliteDatabase.OpenReadWrite(copy);
        try
        {
            // With a number behind the file's end it is no schema, unless it may be written.
            database.Execute($"""
                PRAGMA writable_schema=ON;
                BEGIN IMMEDIATE;
                UPDATE sqlite_master SET rootpage =
                    (SELECT count FROM probes WHERE id = {SqliteSchema.ParkedPlace}) WHERE name = 'parked';
                UPDATE sqlite_master SET rootpage =
                    (SELECT count FROM probes WHERE id = {SqliteSchema.ParkedIndexPlace})
                    WHERE name = 'parked_of_subscriber';
                DELETE FROM sqlite_master WHERE name = 'subscribers_to_wake'
                    OR (tbl_name = 'parked' AND rootpage IS NULL);
                COMMIT;
                """);
        }
        catch (SqliteFailure failure) when (failure.IsDamage)
        {
            // Then they are looked for where a new file has them.
        }
    }
}
