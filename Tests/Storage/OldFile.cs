using OrleansEvents.Storage.Sqlite;

namespace OrleansEvents.Tests.Storage;

/// <summary>Makes of a folder's file one as the first version of the schema had it, with the same rows.</summary>
internal static class OldFile
{
    private const string Schema = """
        CREATE TABLE streams(
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            epoch INTEGER NOT NULL,
            deleted INTEGER,
            close_end INTEGER,
            close_floor INTEGER,
            reserved INTEGER NOT NULL,
            trimmed INTEGER NOT NULL,
            durable_since INTEGER,
            completed INTEGER NOT NULL,
            created INTEGER NOT NULL,
            name TEXT NOT NULL UNIQUE,
            epochs BLOB NOT NULL,
            settings TEXT);
        CREATE INDEX tombstones ON streams(deleted) WHERE deleted IS NOT NULL;
        CREATE TABLE runs(
            id INTEGER PRIMARY KEY,
            stream INTEGER NOT NULL,
            first INTEGER NOT NULL,
            last INTEGER NOT NULL,
            count INTEGER NOT NULL,
            critical INTEGER NOT NULL,
            bytes INTEGER NOT NULL,
            appended INTEGER NOT NULL,
            crc INTEGER NOT NULL,
            slots BLOB NOT NULL,
            frames BLOB NOT NULL);
        CREATE INDEX runs_of_stream ON runs(stream, first, last, count, critical, bytes, appended);
        CREATE TABLE keys(
            id INTEGER PRIMARY KEY,
            stream INTEGER NOT NULL,
            first INTEGER NOT NULL,
            last INTEGER NOT NULL,
            expires INTEGER NOT NULL,
            keys BLOB NOT NULL);
        CREATE INDEX keys_of_stream ON keys(stream, expires, last);
        CREATE TABLE rings(
            stream INTEGER PRIMARY KEY,
            crc INTEGER NOT NULL,
            slots BLOB NOT NULL,
            frames BLOB NOT NULL);
        CREATE TABLE subscribers(
            id INTEGER PRIMARY KEY,
            stream INTEGER NOT NULL,
            name TEXT NOT NULL,
            crc INTEGER NOT NULL,
            state BLOB NOT NULL,
            UNIQUE(stream, name));
        CREATE TABLE purges(stream INTEGER PRIMARY KEY);
        CREATE TABLE probes(id INTEGER PRIMARY KEY, count INTEGER NOT NULL);
        INSERT INTO probes VALUES(1, 0);
        """;

    private static readonly string[] Tables = ["streams", "runs", "keys", "rings", "subscribers", "purges"];

    public static void Make(DataFolder folder)
    {
        var newer = folder.File + "-newer";
        File.Move(folder.File, newer);
        using (var database = SqliteDatabase.Create(folder.File))
        {
            database.Number($"PRAGMA page_size={SqliteSchema.PageBytes}");
            database.Number($"PRAGMA application_id={SqliteSchema.ApplicationId}");
            database.Execute($"BEGIN; {Schema} PRAGMA user_version=1; COMMIT;");
            database.Number("PRAGMA journal_mode=WAL");
            database.Execute($"ATTACH '{newer}' AS newer");
            foreach (var table in Tables)
            {
                var names = database.Texts($"SELECT name FROM pragma_table_info('{table}', 'main')");
                var columns = string.Join(", ", names);
                database.Execute($"INSERT INTO main.{table}({columns}) SELECT {columns} FROM newer.{table}");
            }
            database.Execute("DETACH newer");
        }
        SqliteFiles.Delete(newer);
    }
}
