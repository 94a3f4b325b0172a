namespace OrleansEvents.Storage.Sqlite;

/// <summary>The names of the files in the data folder.</summary>
internal static class SqliteFiles
{
    public const string Name = "events.db";
    public const string LockName = "events.lock";

    private const string DamagedMark = ".damaged-";

    /// <summary>The file itself, and what SQLite keeps beside it.</summary>
    public static readonly string[] Suffixes = ["", "-wal", "-shm", "-journal"];

    /// <summary>A file that is only there because there was a log: then its absence is not a new beginning.</summary>
    public static string? LeftBehind(string path) => File.Exists(path + "-wal") ? path + "-wal" : LastDamaged(path);

    /// <summary>The damaged file that was put aside last.</summary>
    public static string? LastDamaged(string path) =>
        Directory.EnumerateFiles(Path.GetDirectoryName(path)!, Path.GetFileName(path) + DamagedMark + "*")
            .Where(file => !Suffixes.Skip(1).Any(suffix => file.EndsWith(suffix, StringComparison.Ordinal)))
            .Max(StringComparer.Ordinal);

    public static string DamagedName(string path, DateTimeOffset now)
    {
        var name = path + DamagedMark + now.UtcDateTime.ToString("yyyyMMdd'T'HHmmss'Z'", null);
        while (File.Exists(name)) name += "+";
        return name;
    }

    /// <summary>Renames the file and what is beside it. The file comes first: until all is moved, it is missing, and
    /// a missing one with something left behind is not started on.</summary>
    public static void Move(string from, string to)
    {
        foreach (var suffix in Suffixes)
            if (File.Exists(from + suffix) && !File.Exists(to + suffix)) File.Move(from + suffix, to + suffix);
    }

    public static void Delete(string path)
    {
        foreach (var suffix in Suffixes) File.Delete(path + suffix);
    }
}
