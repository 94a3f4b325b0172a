using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;

namespace OrleansEvents.Silo.Transport;

/// <summary>
/// How nodes and edges are connected: Orleans' messages over plain sockets, read and written in large pieces. Its own
/// sockets read four kilobytes at a time and wake a thread for each, which is most of what it costs to move a stream's
/// bytes between two nodes. What goes over the wire is the same: nodes with either understand each other.
/// </summary>
internal sealed class NodeTransport : IConnectionFactory, IConnectionListenerFactory
{
    /// <summary>Puts it into the place of what Orleans has registered; where that is not found, Orleans' own
    /// stays.</summary>
    public static void Use(IServiceCollection services)
    {
        var transport = new NodeTransport();
        // By the keys that Orleans asks with, which are its own.
        foreach (var each in services.Where(IsOfOrleans).ToList())
            services.Add(new ServiceDescriptor(each.ServiceType, each.ServiceKey, transport));
    }

    /// <inheritdoc/>
    public async ValueTask<ConnectionContext> ConnectAsync(EndPoint endpoint, CancellationToken cancellationToken)
    {
        var socket = new Socket(endpoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp)
        {
            LingerState = new LingerOption(true, 0),
        };
        try
        {
            await socket.ConnectAsync(endpoint, cancellationToken);
            return new NodeConnection(socket);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public ValueTask<IConnectionListener> BindAsync(EndPoint endpoint, CancellationToken cancellationToken) =>
        new(new Listener(endpoint));

    private static bool IsOfOrleans(ServiceDescriptor each) => each.ServiceKey is not null
        && (each.ServiceType == typeof(IConnectionFactory) || each.ServiceType == typeof(IConnectionListenerFactory));

    private sealed class Listener : IConnectionListener
    {
        private const int Backlog = 512;

        private readonly Socket _socket;

        public Listener(EndPoint endpoint)
        {
            _socket = new Socket(endpoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
            try
            {
                // A node that comes back at once has the address of the one that died.
                _socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
                if (endpoint is IPEndPoint ip && ip.Address.Equals(IPAddress.IPv6Any)) _socket.DualMode = true;
                _socket.Bind(endpoint);
                _socket.Listen(Backlog);
            }
            catch (SocketException e) when (e.SocketErrorCode == SocketError.AddressAlreadyInUse)
            {
                _socket.Dispose();
                throw new AddressInUseException(e.Message, e);
            }
            catch
            {
                _socket.Dispose();
                throw;
            }
            EndPoint = _socket.LocalEndPoint!;
        }

        public EndPoint EndPoint { get; }

        public async ValueTask<ConnectionContext?> AcceptAsync(CancellationToken cancellationToken)
        {
            while (true)
            {
                try
                {
                    return new NodeConnection(await _socket.AcceptAsync(cancellationToken));
                }
                catch (Exception e) when (e is ObjectDisposedException
                    or SocketException { SocketErrorCode: SocketError.OperationAborted })
                {
                    // The listener was ended.
                    return null;
                }
                catch (SocketException)
                {
                    // Who wanted to come has gone again.
                }
            }
        }

        public ValueTask UnbindAsync(CancellationToken cancellationToken) => DisposeAsync();

        public ValueTask DisposeAsync()
        {
            _socket.Dispose();
            return default;
        }
    }
}
