using System.Globalization;

namespace OrleansEvents.Storage.Sqlite;

/// <summary>
/// The tables, as numbered steps: a file at version n has had the first n. A step that was released is never changed.
/// All tables have a rowid, so that repairing can walk them from any side around a damaged page.
/// </summary>
internal static class SqliteSchema
{
    /// <summary>Marks the file as ours ("OrEv").</summary>
    public const int ApplicationId = 0x4f724576;

    public const int PageBytes = 4096;

    /// <summary>Rows of <c>probes</c> that say on which page the table of parked events and its index begin.</summary>
    public const int ParkedPlace = 2;
    public const int ParkedIndexPlace = 3;

    /// <summary>The version this program reads and writes.</summary>
    public static int Version => Steps.Length;

    // Small columns before large ones: SQLite reads a row from its front, and no further than it must.
    private static readonly string[] Steps =
    [
        """
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
        """,
        // Where a later step's tables begin depends on the file, and repairing must know it without the first page.
        $"""
        ALTER TABLE subscribers ADD COLUMN wakes INTEGER NOT NULL DEFAULT 0;
        CREATE INDEX subscribers_to_wake ON subscribers(stream, wakes) WHERE wakes = 1;
        CREATE TABLE parked(
            id INTEGER PRIMARY KEY,
            stream INTEGER NOT NULL,
            seq INTEGER NOT NULL,
            parked INTEGER NOT NULL,
            crc INTEGER NOT NULL,
            subscriber TEXT NOT NULL,
            slot BLOB NOT NULL,
            note BLOB NOT NULL,
            frame BLOB NOT NULL);
        CREATE INDEX parked_of_subscriber ON parked(stream, subscriber, seq, parked);
        INSERT INTO probes SELECT {ParkedPlace}, rootpage FROM sqlite_master WHERE name = 'parked';
        INSERT INTO probes
            SELECT {ParkedIndexPlace}, rootpage FROM sqlite_master WHERE name = 'parked_of_subscriber';
        """,
    ];

    /// <summary>Makes a new file whole under another name first: a file under its own name is never half made, so
    /// that an empty one is known to be damaged.</summary>
    public static void CreateFile(string path)
    {
        var making = path + ".new";
        SqliteFiles.Delete(making);
        using (var database = SqliteDatabase.Create(making))
        {
            Number($"PRAGMA page_size={PageBytes}");
            Number($"PRAGMA application_id={ApplicationId}");
            Migrate(database);
            Number("PRAGMA journal_mode=WAL");

            void Number(string pragma) => database.Number(pragma);
        }
        File.Move(making, path);
    }

    /// <summary>Takes the steps that the file has not had, each in its own transaction; says which version it
    /// was.</summary>
    public static int Migrate(SqliteDatabase database)
    {
        var was = (int)database.Number("PRAGMA user_version");
        for (var version = was; version < Version; version++) database.Execute(StepFrom(version));
        return was;
    }

    /// <summary>What takes a file from one version to the next, all or nothing.</summary>
    public static string StepFrom(int version)
    {
        var reached = (version + 1).ToString(CultureInfo.InvariantCulture);
        return $"BEGIN IMMEDIATE; {Steps[version]} PRAGMA user_version={reached}; COMMIT;";
    }
}
