using System.Globalization;
using OrleansEvents.Streams;
using SQLitePCL;

namespace OrleansEvents.Storage.Sqlite;

/// <summary>Opens or makes the file, checks it and brings it to this program's schema. Anything that is not right is
/// refused in one line; nothing is ever begun empty where something was.</summary>
internal static class SqliteStart
{
    /// <summary>Makes the file ready; says what was found, as one line for the log.</summary>
    public static string Prepare(string path, SqliteOptions options, TimeProvider time)
    {
        try
        {
            return File.Exists(path) ? Check(path, options, time) : Make(path);
        }
        catch (SqliteFailure failure) when (failure.IsDamage)
        {
            throw Damaged(path, failure.Message, failure);
        }
        catch (SqliteFailure failure)
        {
            throw new LogRefusedException($"{path} cannot be opened: {failure.Text}.", failure);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new LogRefusedException($"{path} cannot be opened: {failure.Message}", failure);
        }
    }

    private static string Make(string path)
    {
        if (SqliteFiles.LeftBehind(path) is { } left)
            throw Damaged(path, $"it is missing, but {Path.GetFileName(left)} is there");
        SqliteSchema.CreateFile(path);
        return $"{path} made new, schema {SqliteSchema.Version}";
    }

    private static string Check(string path, SqliteOptions options, TimeProvider time)
    {
        if (new FileInfo(path).Length == 0) throw Damaged(path, "it is empty");
        using var database = SqliteDatabase.OpenReadWrite(path);
        RefuseOthers(path, database);
        // Before anything is written: a damaged file is left as it was found.
        var found = QuickCheck(database, options.CheckLimit, time);
        if (found.Damage is { } damage) throw Damaged(path, damage);
        Write(database);
        var was = SqliteSchema.Migrate(database);
        var upgraded = was == SqliteSchema.Version ? "" : $" (upgraded from {was})";
        var streams = database.Number("SELECT count(*) FROM streams WHERE deleted IS NULL");
        var kilobytes = new FileInfo(path).Length / 1024;
        return string.Create(CultureInfo.InvariantCulture,
            $"{path}: {streams} streams, {kilobytes} kB, schema {SqliteSchema.Version}{upgraded}, {found.Text}");
    }

    /// <summary>Refuses what this program must not touch, damaged or not.</summary>
    public static void RefuseOthers(string path, SqliteDatabase database)
    {
        if (database.Number("PRAGMA application_id") != SqliteSchema.ApplicationId)
            throw new LogRefusedException($"{path} is not an event log: it is the database of another program.");
        var version = database.Number("PRAGMA user_version");
        if (version <= SqliteSchema.Version) return;
        throw new LogRefusedException($"{path} was written by a newer version of OrleansEvents: it has schema "
            + $"{version}, and this program knows {SqliteSchema.Version}.");
    }

    // A file that cannot be written is better refused now than later; but a full disk may be emptied.
    private static void Write(SqliteDatabase database)
    {
        try
        {
            database.Execute("BEGIN IMMEDIATE; UPDATE probes SET count = count + 1 WHERE id = 1; COMMIT");
        }
        catch (SqliteFailure failure) when (failure.Code == raw.SQLITE_FULL)
        {
            if (!database.IsIdle) database.Execute("ROLLBACK");
        }
    }

    private static (string? Damage, string Text) QuickCheck(SqliteDatabase database, TimeSpan limit, TimeProvider time)
    {
        var began = time.GetTimestamp();
        database.InterruptWhen(() => time.GetElapsedTime(began) > limit);
        try
        {
            var found = database.Texts("PRAGMA quick_check(1)");
            var took = (long)time.GetElapsedTime(began).TotalMilliseconds;
            return found is ["ok"] ? (null, $"checked in {took} ms: no damage") : (string.Join("; ", found), "");
        }
        catch (SqliteFailure failure) when (failure.Code == raw.SQLITE_INTERRUPT)
        {
            return (null, $"checked in part, for {limit.TotalSeconds} s: no damage found");
        }
        finally
        {
            database.InterruptWhen(null);
        }
    }

    private static LogRefusedException Damaged(string path, string what, Exception? inner = null) =>
        new($"{path} is damaged: {OneLine(what)}. Start with --repair to keep what is readable.", inner);

    private static string OneLine(string text) => text.ReplaceLineEndings(" ").TrimEnd('.');
}
