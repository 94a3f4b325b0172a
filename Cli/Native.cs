using System.Runtime.InteropServices;

namespace OrleansEvents.Cli;

/// <summary>The few system calls that the framework has no door to.</summary>
internal static partial class Native
{
    private const int BrokenPipe = 13;
    private const short PollOut = 4;
    private const short PollError = 8;

    /// <summary>
    /// Whether a pipe's reader has gone. The console's streams swallow that error, and a writer that waits for events
    /// would notice only with the next one.
    /// </summary>
    public static bool IsClosed(int descriptor)
    {
        if (OperatingSystem.IsWindows())
            return false;
        var poll = new PollDescriptor { Descriptor = descriptor, Events = PollOut };
        return Poll(ref poll, 1, 0) > 0 && (poll.Returned & PollError) != 0;
    }

    public static void Signal(int process, int signal)
    {
        if (!OperatingSystem.IsWindows())
            _ = Kill(process, signal);
    }

    /// <summary>Whether a key like Ctrl-C at the terminal signals this process, and its child, directly.</summary>
    public static bool IsInForeground()
    {
        if (OperatingSystem.IsWindows())
            return true;
        try
        {
            using var terminal = File.OpenHandle("/dev/tty");
            return ForegroundGroup(terminal) == ProcessGroup();
        }
        catch (Exception none) when (none is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    /// <summary>
    /// The runtime ignores SIGPIPE, and a child would inherit that: it would print an error, or go on, where a shell's
    /// child just ends. For that moment a write to a closed pipe would end this process as well.
    /// </summary>
    public static T WithBrokenPipeSignal<T>(Func<T> start)
    {
        if (OperatingSystem.IsWindows())
            return start();
        var ignored = SetHandler(BrokenPipe, handler: 0);
        try
        {
            return start();
        }
        finally
        {
            _ = SetHandler(BrokenPipe, ignored);
        }
    }

    [LibraryImport("libc", EntryPoint = "signal", SetLastError = true)]
    private static partial nint SetHandler(int signal, nint handler);

    [LibraryImport("libc", EntryPoint = "poll", SetLastError = true)]
    private static partial int Poll(ref PollDescriptor descriptors, nuint count, int timeout);

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int Kill(int process, int signal);

    [LibraryImport("libc", EntryPoint = "getpgrp")]
    private static partial int ProcessGroup();

    [LibraryImport("libc", EntryPoint = "tcgetpgrp", SetLastError = true)]
    private static partial int ForegroundGroup(SafeHandle terminal);

    [StructLayout(LayoutKind.Sequential)]
    private struct PollDescriptor
    {
        public int Descriptor;
        public short Events;
        public short Returned;
    }
}
