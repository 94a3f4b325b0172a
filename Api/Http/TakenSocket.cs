using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace OrleansEvents.Api.Http;

/// <summary>
/// A TCP connection, taken from the web server for good: what the server keeps for a connection while it serves a
/// request is several times what an idle reader needs. The connection gets a second descriptor, which is ours; the
/// server's is made to lead nowhere, so that it can end its side and let everything go without the client noticing.
/// </summary>
/// <remarks>Linux only: dup2(2) and fcntl(2) are called by their numbers there. The event loop's registration of the
/// server's descriptor lasts until the connection is closed (epoll(7), question 6), and wakes nobody.</remarks>
internal static partial class TakenSocket
{
    private const int DuplicateCloseOnExec = 1030;

    /// <summary>Never connected: whatever is asked of it fails at once.</summary>
    private static readonly Socket s_nowhere = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);

    /// <summary>The connection as a socket that does not block; null where it cannot be had, and the server's goes
    /// on.</summary>
    public static Socket? Of(Socket servers)
    {
        if (!OperatingSystem.IsLinux()) return null;
        var isHeld = false;
        Socket? taken = null;
        try
        {
            servers.SafeHandle.DangerousAddRef(ref isHeld);
            var number = (int)servers.SafeHandle.DangerousGetHandle();
            var second = Control(number, DuplicateCloseOnExec, 0);
            if (second < 0) return null;
            taken = new Socket(new SafeSocketHandle(second, ownsHandle: true)) { Blocking = false };
            if (Duplicate((int)s_nowhere.Handle, number) >= 0) return taken;
        }
        catch (Exception gone) when (gone is SocketException or ObjectDisposedException)
        {
            // The client was faster.
        }
        finally
        {
            if (isHeld) servers.SafeHandle.DangerousRelease();
        }
        taken?.Dispose();
        return null;
    }

    [LibraryImport("libc", EntryPoint = "fcntl", SetLastError = true)]
    private static partial int Control(int descriptor, int command, int argument);

    [LibraryImport("libc", EntryPoint = "dup2", SetLastError = true)]
    private static partial int Duplicate(int descriptor, int number);
}
