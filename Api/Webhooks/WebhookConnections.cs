using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using OrleansEvents.Api.Options;

namespace OrleansEvents.Api.Webhooks;

/// <summary>Finds the addresses of a host.</summary>
internal delegate Task<IPAddress[]> AddressLookup(string host, CancellationToken cancel);

/// <summary>The endpoint's name stands for addresses that are not pushed to.</summary>
internal sealed class AddressRefusedException(string host) : IOException($"{host} is at no public address");

/// <summary>
/// The connections to endpoints. An address is checked where the connection is made, and connected to as it was
/// checked: a name that stands for another one by then changes nothing. Redirects, proxies, cookies, decompression
/// and downloads of certificates are all off: each would let an endpoint choose what this server asks, or of whom.
/// </summary>
internal sealed class WebhookConnections(WebhooksOptions options, AddressLookup lookup)
{
    private const string ServerAuthentication = "1.3.6.1.5.5.7.3.1";
    private static readonly TimeSpan s_idle = TimeSpan.FromSeconds(4);
    private static readonly TimeSpan s_lifetime = TimeSpan.FromMinutes(5);
    private int _open;

    /// <summary>Whether there are so many that a request should leave none behind.</summary>
    public bool AreMany => Volatile.Read(ref _open) >= options.Connections;

    /// <param name="kept">Whether a connection is used again.</param>
    public SocketsHttpHandler MakeHandler(bool kept) => new()
    {
        ConnectCallback = async (context, cancel) => await Connect(context.DnsEndPoint, cancel),
        ConnectTimeout = options.ConnectTimeout,
        MaxConnectionsPerServer = options.Concurrency,
        // Shorter than servers keep theirs: one that closes just when it is used again would cost an attempt.
        PooledConnectionIdleTimeout = s_idle,
        PooledConnectionLifetime = kept ? s_lifetime : TimeSpan.Zero,
        MaxResponseHeadersLength = 16,
        MaxResponseDrainSize = options.AnswerBytes,
        ResponseDrainTimeout = TimeSpan.FromSeconds(1),
        AllowAutoRedirect = false,
        UseProxy = false,
        UseCookies = false,
        AutomaticDecompression = DecompressionMethods.None,
        ActivityHeadersPropagator = null,
        SslOptions = new SslClientAuthenticationOptions { CertificateChainPolicy = MakeChainPolicy() },
    };

    // A certificate names where its issuer's can be had: an address of the endpoint's choice.
    private static X509ChainPolicy MakeChainPolicy() => new()
    {
        DisableCertificateDownloads = true,
        RevocationMode = X509RevocationMode.NoCheck,
        ApplicationPolicy = { new Oid(ServerAuthentication) },
    };

    private async Task<Stream> Connect(DnsEndPoint endPoint, CancellationToken cancel)
    {
        var addresses = IPAddress.TryParse(endPoint.Host, out var literal)
            ? [literal] : await lookup(endPoint.Host, cancel);
        if (!options.AllowPrivateAddresses) addresses = [.. addresses.Where(PublicAddresses.Contains)];
        if (addresses.Length == 0) throw new AddressRefusedException(endPoint.Host);
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(addresses, endPoint.Port, cancel);
            return new CountedStream(this, socket);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private sealed class CountedStream : NetworkStream
    {
        private readonly WebhookConnections _connections;
        private bool _closed;

        public CountedStream(WebhookConnections connections, Socket socket) : base(socket, ownsSocket: true)
        {
            _connections = connections;
            Interlocked.Increment(ref connections._open);
        }

        protected override void Dispose(bool disposing)
        {
            if (!Interlocked.Exchange(ref _closed, true)) Interlocked.Decrement(ref _connections._open);
            base.Dispose(disposing);
        }
    }
}
