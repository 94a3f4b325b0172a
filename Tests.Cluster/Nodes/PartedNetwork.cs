using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Xunit;

namespace OrleansEvents.Tests.Cluster.Nodes;

/// <summary>A network for each node, all on one bridge, where this process is too. What goes between two of them can be
/// cut: it is lost without a word, as in a network that parts. Where networks cannot be made the test that asks is
/// skipped.</summary>
internal sealed class PartedNetwork : IAsyncDisposable
{
    // The shell takes all away when its input ends, as it does with the tests, however these end.
    private const string Script = """
        trap '' INT TERM
        clean() {
            set +e
            for n in $nodes; do ip netns del "$name.$n"; ip link del "$name.$n"; done
            ip link del "$name"
        } 2>/dev/null
        name=$1 net=$2 nodes=$3
        trap clean EXIT
        set -e
        ip link add "$name" type bridge
        ip addr add "$net.1/24" dev "$name"
        ip link set "$name" up
        for n in $nodes; do
            ip netns add "$name.$n"
            ip link add "$name.$n" type veth peer name eth0 netns "$name.$n"
            ip link set "$name.$n" master "$name" up
            ip -n "$name.$n" addr add "$net.1$n/24" dev eth0
            ip -n "$name.$n" link set lo up
            ip -n "$name.$n" link set eth0 up
        done
        echo made
        while read -r what first second; do
            for n in $first $second; do ip link set dev "$name.$n" type bridge_slave isolated "$what"; done
            echo "$what"
        done
        """;

    private static int s_networks;

    private readonly string _name;
    private readonly string _prefix;
    private readonly Process _shell;
    private readonly List<Socket> _listeners = [];

    private PartedNetwork(int nodes)
    {
        var number = Interlocked.Increment(ref s_networks);
        _name = string.Create(CultureInfo.InvariantCulture, $"ev{Environment.ProcessId % 1_000_000}-{number}");
        // Addresses that are for tests of networks.
        _prefix = string.Create(CultureInfo.InvariantCulture, $"198.18.{Environment.ProcessId % 250 + number}");
        _shell = Process.Start(new ProcessStartInfo("/bin/sh", ["-c", Script, "sh", _name, _prefix,
            string.Join(' ', Enumerable.Range(1, nodes))])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
    }

    public static async Task<PartedNetwork> Make(int nodes)
    {
        if (!OperatingSystem.IsLinux() || !Environment.IsPrivilegedProcess)
            Assert.Skip("Networks that part are made as root on Linux only.");
        var network = new PartedNetwork(nodes);
        if (await network._shell.StandardOutput.ReadLineAsync() is "made") return network;
        var reason = await network._shell.StandardError.ReadToEndAsync();
        await network.DisposeAsync();
        Assert.Skip($"Networks that part cannot be made here: {reason}");
        return network;
    }

    /// <summary>What a node's process is started with, and where it is reached.</summary>
    public (string Network, string Address) PlaceOf(int node) =>
        ($"{_name}.{node + 1}", string.Create(CultureInfo.InvariantCulture, $"{_prefix}.1{node + 1}"));

    public Task Cut(int first, int second) => Tell("on", first, second);

    public Task Heal(int first, int second) => Tell("off", first, second);

    /// <summary>Where all nodes reach what listens on this machine's loopback.</summary>
    public IPEndPoint Open(string host, int port)
    {
        var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Parse($"{_prefix}.1"), 0));
        listener.Listen();
        _listeners.Add(listener);
        _ = Accept(listener, host, port);
        return (IPEndPoint)listener.LocalEndPoint!;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var listener in _listeners) listener.Dispose();
        _shell.StandardInput.Close();
        await _shell.WaitForExitAsync();
        _shell.Dispose();
    }

    private async Task Tell(string what, int first, int second)
    {
        await _shell.StandardInput.WriteLineAsync(
            string.Create(CultureInfo.InvariantCulture, $"{what} {first + 1} {second + 1}"));
        await _shell.StandardInput.FlushAsync();
        Assert.Equal(what, await _shell.StandardOutput.ReadLineAsync());
    }

    private static async Task Accept(Socket listener, string host, int port)
    {
        try
        {
            while (true) _ = Carry(await listener.AcceptAsync(), host, port);
        }
        catch (Exception closed) when (closed is SocketException or ObjectDisposedException)
        {
            // The network is taken away.
        }
    }

    private static async Task Carry(Socket here, string host, int port)
    {
        using var there = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        here.NoDelay = true;
        try
        {
            await there.ConnectAsync(host, port);
            using NetworkStream near = new(here, ownsSocket: true), far = new(there);
            await Task.WhenAny(near.CopyToAsync(far), far.CopyToAsync(near));
        }
        catch (Exception broken) when (broken is SocketException or IOException)
        {
            here.Dispose();
        }
    }
}
