using System.Net;
using System.Net.Sockets;

namespace OrleansEvents.Api.Webhooks;

/// <summary>
/// Which addresses belong to anybody on the Internet, and not to this machine, its network or its hosting. What an
/// address stands for counts: an IPv6 address that carries an IPv4 one is taken as that, or refused.
/// </summary>
internal static class PublicAddresses
{
    // The special-purpose registries of IANA, and one address that a cloud gives its own machines.
    private static readonly IPNetwork[] s_special4 =
    [
        .. new[]
        {
            "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
            "192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24",
            "192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
            "224.0.0.0/4", "240.0.0.0/4", "168.63.129.16/32",
        }.Select(IPNetwork.Parse),
    ];

    // Loopback, link-local, unique local, multicast and NAT64 all lie outside of what is given to anybody.
    private static readonly IPNetwork s_global6 = IPNetwork.Parse("2000::/3");

    // Teredo, ORCHID and benchmarks; documentation, twice; 6to4, which carries IPv4 addresses; AS112.
    private static readonly IPNetwork[] s_special6 =
    [
        .. new[] { "2001::/23", "2001:db8::/32", "3fff::/20", "2002::/16", "2620:4f:8000::/48" }
            .Select(IPNetwork.Parse),
    ];

    public static bool Contains(IPAddress address)
    {
        if (address.IsIPv4MappedToIPv6) address = address.MapToIPv4();
        return address.AddressFamily switch
        {
            AddressFamily.InterNetwork => !s_special4.Any(network => network.Contains(address)),
            AddressFamily.InterNetworkV6 => s_global6.Contains(address)
                && !s_special6.Any(network => network.Contains(address)),
            _ => false,
        };
    }
}
