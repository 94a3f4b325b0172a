using System.Globalization;
using Orleans.Runtime;

namespace OrleansEvents.Silo.Membership;

/// <summary>
/// Ends the process when the silo cannot go on: mostly because the others have declared it dead, having been frozen or
/// cut off. Its streams have other owners by then. Nothing is closed or waited for: whatever it would still write is
/// refused, and its readers come back elsewhere. Something must start it again.
/// </summary>
internal sealed class DeclaredDead(TimeProvider time) : IFatalErrorHandler
{
    public const int ExitCode = 3;
    private int _ending;

    public bool IsUnexpected(Exception exception) => true;

    public void OnFatalException(object? sender, string? context, Exception? exception)
    {
        if (Interlocked.Exchange(ref _ending, 1) != 0) return;
        var reason = (context ?? exception?.Message ?? "unknown").ReplaceLineEndings(" ");
        // Not by the log, which may still hold it back when the process ends.
        Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{time.GetUtcNow():yyyy-MM-dd'T'HH:mm:ss.fff'Z'} crit: OrleansEvents.Silo[{EventIds.DeclaredDead}] ")
            + $"This silo ends its process: {reason}");
        Environment.Exit(ExitCode);
    }
}
