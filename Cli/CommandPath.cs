namespace OrleansEvents.Cli;

/// <summary>
/// Finds a command as a shell does. The framework would also look beside this program and in the working folder.
/// </summary>
internal static class CommandPath
{
    private const UnixFileMode AnyExecute =
        UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;

    /// <summary>The command's path; null with the exit code that a shell gives when there is none.</summary>
    public static string? Find(string command, string? searchPath, out int exitCode)
    {
        exitCode = ExitCodes.NotFound;
        // On Windows the system finds it: with extensions, in its own order.
        if (OperatingSystem.IsWindows())
            return command;
        var isPath = command.Contains('/', StringComparison.Ordinal);
        var candidates = isPath
            ? [command]
            : (searchPath ?? "/usr/local/bin:/usr/bin:/bin").Split(':').Select(
                folder => Path.Combine(folder.Length == 0 ? "." : folder, command));
        foreach (var candidate in candidates)
        {
            if (IsExecutable(candidate))
                return Path.GetFullPath(candidate);
            if (File.Exists(candidate) || (isPath && Directory.Exists(candidate)))
                exitCode = ExitCodes.NotExecutable;
        }
        return null;
    }

    private static bool IsExecutable(string path) =>
        File.Exists(path) && !OperatingSystem.IsWindows() && (File.GetUnixFileMode(path) & AnyExecute) != 0;
}
