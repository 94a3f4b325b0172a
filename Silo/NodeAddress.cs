using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using System.Security.Cryptography;
using OrleansEvents.Api.Options;

namespace OrleansEvents.Silo;

/// <summary>Where the other nodes reach this one. Throws <see cref="StartRefusedException"/> for what cannot
/// be.</summary>
internal sealed record NodeAddress(IPAddress Advertised, IPAddress Listening, int SiloPort, int GatewayPort)
{
    public static NodeAddress Of(ClusterOptions options)
    {
        var advertised = options.Advertise == ClusterOptions.Auto
            ? OwnAddress()
            : Find(options.Advertise, "--advertise");
        var listening = options.Listen == ClusterOptions.Advertised
            ? advertised
            : Find(options.Listen, "Cluster:Listen");
        // Held together, so that the two are not given the same port.
        using var silo = TakeAny(listening, options.SiloPort, "--silo-port");
        using var gateway = TakeAny(listening, options.GatewayPort, "--gateway-port");
        return new(advertised, listening, PortOf(silo), PortOf(gateway));
    }

    private static IPAddress Find(string name, string setting)
    {
        if (IPAddress.TryParse(name, out var address)) return address;
        try
        {
            return Dns.GetHostAddresses(name) is [_, ..] found
                ? found.FirstOrDefault(each => each.AddressFamily == AddressFamily.InterNetwork) ?? found[0]
                : throw new SocketException((int)SocketError.HostNotFound);
        }
        catch (SocketException failure)
        {
            throw new StartRefusedException($"{setting}: '{name}' is not an address and names none", failure);
        }
    }

    private static IPAddress OwnAddress() => NetworkInterface.GetAllNetworkInterfaces()
        .Where(each => each.OperationalStatus == OperationalStatus.Up
            && each.NetworkInterfaceType != NetworkInterfaceType.Loopback)
        .SelectMany(each => each.GetIPProperties().UnicastAddresses)
        .Select(each => each.Address)
        .FirstOrDefault(each => each.AddressFamily == AddressFamily.InterNetwork)
        ?? throw new StartRefusedException("--advertise: auto finds no address of this machine; give one");

    // Where any will do, none of those that the system gives to connections that go out: one of these would be taken by
    // another before the silo listens on it.
    private static TcpListener TakeAny(IPAddress address, int port, string setting)
    {
        for (var tries = 0; port == 0 && tries < 100; tries++)
        {
            try
            {
                return Take(address, RandomNumberGenerator.GetInt32(15_000, 32_000), setting);
            }
            catch (StartRefusedException)
            {
                // In use: another.
            }
        }
        return Take(address, port, setting);
    }

    // Whoever else has the port is told of by name; Orleans would only say that a stage of its start failed.
    private static TcpListener Take(IPAddress address, int port, string setting)
    {
        var listener = new TcpListener(address, port);
        try
        {
            listener.Start();
            return listener;
        }
        catch (SocketException failure)
        {
            listener.Dispose();
            throw new StartRefusedException($"{setting}: {address}:{port} is " + failure.SocketErrorCode switch
            {
                SocketError.AddressAlreadyInUse => "in use by another process",
                SocketError.AccessDenied => "not allowed for this user",
                SocketError.AddressNotAvailable => "not an address of this machine",
                _ => failure.Message,
            }, failure);
        }
    }

    private static int PortOf(TcpListener listener) => ((IPEndPoint)listener.LocalEndpoint).Port;
}
