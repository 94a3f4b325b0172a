using System.Globalization;
using OrleansEvents.Streams;

namespace OrleansEvents.Storage.Sqlite;

/// <summary>
/// Puts a damaged log aside and makes a new one of what is still readable. It can be interrupted at any point and run
/// again: the damaged file is renamed first, and without <c>events.db</c> nothing starts while it lies there.
/// </summary>
public static class SqliteRepair
{
    /// <summary>Repairs the folder's log. Throws <see cref="LogRefusedException"/> where it must not.</summary>
    public static RepairSummary Run(string folder, TimeProvider time)
    {
        var path = Path.Combine(folder, SqliteFiles.Name);
        using var held = FolderLock.Take(folder);
        try
        {
            if (!File.Exists(path) && SqliteFiles.LastDamaged(path) is null) return new RepairSummary(null, 0, 0, 0);
            if (File.Exists(path)) RefuseOthers(path);
            return Rebuild(path, PutAside(path, time));
        }
        catch (SqliteFailure failure)
        {
            throw new LogRefusedException($"{path} cannot be repaired: {failure.Text}.", failure);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new LogRefusedException($"{path} cannot be repaired: {failure.Message}", failure);
        }
    }

    private static void RefuseOthers(string path)
    {
        try
        {
            using var database = SqliteDatabase.OpenReadOnly(path);
            if (database.Number("SELECT count(*) FROM sqlite_master") > 0) SqliteStart.RefuseOthers(path, database);
        }
        catch (SqliteFailure)
        {
            // So damaged that it does not say whose it is: it lies where ours does, and is only renamed.
        }
    }

    private static string PutAside(string path, TimeProvider time)
    {
        var aside = File.Exists(path)
            ? SqliteFiles.DamagedName(path, time.GetUtcNow()) : SqliteFiles.LastDamaged(path)!;
        SqliteFiles.Move(path, aside);
        return aside;
    }

    private static RepairSummary Rebuild(string path, string aside)
    {
        var making = path + ".repaired";
        SqliteFiles.Delete(making);
        SqliteSchema.CreateFile(making);
        RepairSummary summary;
        using (var source = DamagedFile.Open(aside, making))
        using (var target = SqliteDatabase.OpenReadWrite(making))
        {
            target.Number("PRAGMA synchronous=FULL");
            summary = new RepairCopy(source.Database, target).Run(Path.GetFileName(aside));
        }
        SqliteFiles.Move(making, path);
        return summary;
    }
}

/// <summary>What a repair kept; its text is one line for the log.</summary>
/// <param name="Aside">The damaged file's new name in the folder; null when there was nothing to repair.</param>
/// <param name="Streams">Streams kept, without tombstones.</param>
/// <param name="Events">Events kept.</param>
/// <param name="RowsLost">Rows of any table that could not be read, as far as it can be told.</param>
public sealed record RepairSummary(string? Aside, long Streams, long Events, long RowsLost)
{
    /// <inheritdoc/>
    public override string ToString() => Aside is null
        ? "There is nothing to repair."
        : string.Create(CultureInfo.InvariantCulture, $"Repaired {SqliteFiles.Name}: {Streams} streams and {Events} "
            + $"events kept, {RowsLost} rows lost; the damaged file is {Aside}.");
}
