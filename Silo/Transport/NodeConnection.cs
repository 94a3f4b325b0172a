using System.IO.Pipelines;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;

namespace OrleansEvents.Silo.Transport;

/// <summary>One connection to another node: what is written is sent before a flush is over, so nothing waits in
/// memory behind a node that takes nothing but the messages themselves, which have a bound and a time limit.</summary>
internal sealed class NodeConnection : DefaultConnectionContext
{
    /// <summary>Bytes that are read at a time. Rented while there is something to read.</summary>
    private const int ReadBytes = 256 << 10;

    /// <summary>A message that fits is written where it is sent from; a larger one is copied once more.</summary>
    private const int WriteBytes = 1 << 20;

    private readonly Socket _socket;
    private int _isClosed;

    public NodeConnection(Socket socket)
    {
        _socket = socket;
        socket.NoDelay = true;
        KeepAlive(socket);
        (LocalEndPoint, RemoteEndPoint) = (socket.LocalEndPoint, socket.RemoteEndPoint);
        var bytes = new NodeSocket(socket);
        Transport = new Pipes(
            PipeReader.Create(bytes, new(bufferSize: ReadBytes, leaveOpen: true, useZeroByteReads: true)),
            PipeWriter.Create(bytes, new(minimumBufferSize: WriteBytes, leaveOpen: true)));
    }

    /// <inheritdoc/>
    public override void Abort(ConnectionAbortedException abortReason)
    {
        if (Close()) base.Abort(abortReason);
    }

    /// <inheritdoc/>
    public override async ValueTask DisposeAsync()
    {
        Close();
        await base.DisposeAsync();
    }

    private bool Close()
    {
        if (Interlocked.Exchange(ref _isClosed, 1) != 0) return false;
        try
        {
            // The other side is told in order, although what is closed lingers for nobody.
            _socket.Shutdown(SocketShutdown.Both);
        }
        catch (SocketException)
        {
            // It has gone already.
        }
        _socket.Dispose();
        return true;
    }

    /// <summary>As Orleans does: a host that is gone without a word is missed although nothing is sent.</summary>
    private static void KeepAlive(Socket socket)
    {
        socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveTime, 90);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveInterval, 30);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveRetryCount, 10);
    }

    private sealed record Pipes(PipeReader Input, PipeWriter Output) : IDuplexPipe;
}
