using OrleansEvents.Storage.Sqlite;

namespace OrleansEvents.Tests.Storage;

/// <summary>A data folder of one test.</summary>
internal sealed class DataFolder : IDisposable
{
    public DataFolder() => Path = Directory.CreateTempSubdirectory("events-").FullName;

    public string Path { get; }

    public string File => System.IO.Path.Combine(Path, "events.db");

    public SqliteOptions Options => new() { Folder = Path };

    public SqliteEventLog Start() => SqliteEventLog.Start(Options, TimeProvider.System);

    /// <summary>What a crash at this moment would leave: the files as they are, without the lock.</summary>
    public DataFolder CopyAsAfterCrash()
    {
        var copy = new DataFolder();
        foreach (var suffix in new[] { "", "-wal" })
        {
            // The log's own locks are advisory, and copying must not mind them.
            using var from = new FileStream(File + suffix, FileMode.Open, FileAccess.Read,
                FileShare.ReadWrite | FileShare.Delete);
            using var to = System.IO.File.Create(copy.File + suffix);
            from.CopyTo(to);
        }
        return copy;
    }

    /// <summary>Inverts bytes of the file.</summary>
    public void Overwrite(long at, int bytes)
    {
        using var file = new FileStream(File, FileMode.Open);
        var content = new byte[bytes];
        file.Position = at;
        var read = file.ReadAtLeast(content, bytes, throwOnEndOfStream: false);
        for (var i = 0; i < read; i++) content[i] ^= 0xff;
        file.Position = at;
        file.Write(content.AsSpan(0, read));
    }

    /// <summary>Leaves the file's first bytes only.</summary>
    public void Cut(long length)
    {
        using var file = new FileStream(File, FileMode.Open);
        file.SetLength(length);
    }

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
