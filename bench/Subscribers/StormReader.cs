using System.Diagnostics;
using System.Net.Sockets;
using System.Text;

namespace OrleansEvents.Subscribers;

/// <summary>A connection whose bytes are counted and not looked at.</summary>
internal sealed class StormReader : IDisposable
{
    private readonly Socket socket = new(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };

    public StormReader(Uri server, string stream, string subscriber)
    {
        socket.Connect(server.Host, server.Port);
        socket.Send(Encoding.ASCII.GetBytes(
            $"GET /api/streams/{stream}/events?subscriber={subscriber}&heartbeat=300 HTTP/1.1\r\nHost: bench\r\n"
            + "Accept: text/event-stream\r\n\r\n"));
        _ = Drain();
    }

    public long Received { get; private set; }

    public long LastAt { get; private set; } = Stopwatch.GetTimestamp();

    public void Dispose() => socket.Dispose();

    private async Task Drain()
    {
        var buffer = new byte[65_536];
        try
        {
            while (await socket.ReceiveAsync(buffer) is > 0 and var bytes)
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
