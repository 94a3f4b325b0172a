using OrleansEvents.Streams;

namespace OrleansEvents.Storage.Sqlite;

/// <summary>Holds the data folder against every other process, by a lock of the operating system on a file in it:
/// a process that dies leaves none behind.</summary>
internal sealed class FolderLock : IDisposable
{
    private readonly FileStream _held;

    private FolderLock(FileStream held) => _held = held;

    public static FolderLock Take(string folder)
    {
        var path = Path.Combine(folder, SqliteFiles.LockName);
        try
        {
            Directory.CreateDirectory(folder);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new LogRefusedException($"The data folder {folder} cannot be made: {e.Message}", e);
        }
        try
        {
            return new FolderLock(new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None));
        }
        catch (UnauthorizedAccessException e)
        {
            throw new LogRefusedException($"The data folder {folder} is not writable: {e.Message}", e);
        }
        catch (IOException e) when (IsHeld(e))
        {
            throw new LogRefusedException($"The data folder {folder} is in use by another process.", e);
        }
        catch (IOException e)
        {
            throw new LogRefusedException($"The data folder {folder} is not writable: {e.Message}", e);
        }
    }

    public void Dispose() => _held.Dispose();

    private static bool IsHeld(IOException e)
    {
        const int sharingViolation = unchecked((int)0x80070020);
        const int wouldBlockOnLinux = 11;
        const int wouldBlockOnMac = 35;
        return e.HResult is sharingViolation or wouldBlockOnLinux or wouldBlockOnMac;
    }
}
