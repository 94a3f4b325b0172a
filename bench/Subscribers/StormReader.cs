using System.Diagnostics;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text;

namespace OrleansEvents.Subscribers;

/// <summary>
/// A connection whose bytes are counted and not looked at. It stands for another machine: its thread has the least
/// priority, so that what is measured beside it waits for the server and not for it.
/// </summary>
internal sealed partial class StormReader : IDisposable
{
    private readonly Socket socket = new(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };

    public StormReader(Uri server, string stream, string subscriber)
    {
        socket.Connect(server.Host, server.Port);
        socket.Send(Encoding.ASCII.GetBytes(
            $"GET /api/streams/{stream}/events?subscriber={subscriber}&heartbeat=300 HTTP/1.1\r\nHost: bench\r\n"
            + "Accept: text/event-stream\r\n\r\n"));
        new Thread(Drain) { IsBackground = true }.Start();
    }

    public long Received { get; private set; }

    public long LastAt { get; private set; } = Stopwatch.GetTimestamp();

    public void Dispose() => socket.Dispose();

    /// <summary>On Linux of the thread that calls.</summary>
    [LibraryImport("libc", EntryPoint = "nice")]
    private static partial int Nice(int more);

    private void Drain()
    {
        _ = Nice(19);
        var buffer = new byte[65_536];
        try
        {
            while (socket.Receive(buffer) is > 0 and var bytes)
            {
                Received += bytes;
                // A comment that keeps the connection open is no redelivery.
                if (bytes > 64) LastAt = Stopwatch.GetTimestamp();
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The work is over.
        }
    }
}
