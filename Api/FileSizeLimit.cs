using System.Runtime.InteropServices;

namespace OrleansEvents.Api;

/// <summary>
/// A write beyond a limit on the size of files (<c>ulimit -f</c>) raises a signal that ends a process which does not
/// handle it. Handled, the write fails like one on a full disk, and is answered like one.
/// </summary>
internal static class FileSizeLimit
{
    // SIGXFSZ has no name in .NET; the number is the same on Linux, macOS and the BSDs.
    private const PosixSignal Exceeded = (PosixSignal)25;

    /// <summary>Survives the signal until the result is disposed; null where there is none.</summary>
    public static IDisposable? Survive() =>
        OperatingSystem.IsWindows() ? null : PosixSignalRegistration.Create(Exceeded, signal => signal.Cancel = true);
}
