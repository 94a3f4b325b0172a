using System.Net;
using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;

namespace OrleansEvents.Tests.Http;

/// <summary>The way that a run's requests and answers take, the same for all its tests. <c>TEST_PATH</c> names it:
/// <c>fast</c> (the default: straight to the socket, as a server does where it can), <c>pipe</c> (always through the
/// web server's pipe), <c>tls</c> (HTTP/1.1 over TLS), <c>h2</c> (HTTP/2).</summary>
internal static class TestPath
{
    private const string Subject = "CN=localhost";
    private static readonly Lazy<X509Certificate2> s_certificate = new(MakeCertificate);

    public static string Name { get; } = Environment.GetEnvironmentVariable("TEST_PATH") switch
    {
        null or "" => "fast",
        ("fast" or "pipe" or "tls" or "h2") and var name => name,
        var other => throw new InvalidOperationException($"TEST_PATH={other} is none of fast, pipe, tls, h2"),
    };

    public static Version Version => Name == "h2" ? HttpVersion.Version20 : HttpVersion.Version11;

    /// <summary>What servers are started with, unless a test says otherwise.</summary>
    public static IReadOnlyList<string> Options { get; } =
        ["--urls", $"{(Name == "tls" ? "https" : "http")}://127.0.0.1:0",
            "--Sse:DirectSend", Name == "pipe" ? "false" : "true"];

    /// <summary>Gives a server's addresses with TLS, if it has any, their certificate.</summary>
    public static void Certify(IServiceCollection services) => services.Configure<KestrelServerOptions>(kestrel =>
        kestrel.ConfigureHttpsDefaults(https => https.ServerCertificateSelector = (_, _) => s_certificate.Value));

    /// <summary>A client with connections of its own.</summary>
    public static HttpClient Client(Uri address, TimeSpan timeout, Version? version = null) => new(
        new SocketsHttpHandler
        {
            UseProxy = false,
            // Disposed in the middle of an answer, it cuts the connection.
            MaxResponseDrainSize = 0,
            EnableMultipleHttp2Connections = true,
            SslOptions = new() { RemoteCertificateValidationCallback = IsOurs },
        })
    {
        BaseAddress = address,
        DefaultRequestVersion = version ?? Version,
        DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact,
        Timeout = timeout,
    };

    /// <summary>What to speak HTTP/1.1 through on a connection to this address.</summary>
    public static async Task<Stream> Secured(Stream connection, Uri address)
    {
        if (address.Scheme != Uri.UriSchemeHttps) return connection;
        var secured = new SslStream(connection, leaveInnerStreamOpen: false, IsOurs);
        await secured.AuthenticateAsClientAsync("localhost");
        return secured;
    }

    private static bool IsOurs(object sender, X509Certificate? certificate, X509Chain? chain, SslPolicyErrors errors) =>
        certificate?.Subject == Subject;

    private static X509Certificate2 MakeCertificate()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var made = new CertificateRequest(Subject, key, HashAlgorithmName.SHA256)
            .CreateSelfSigned(TimeProvider.System.GetUtcNow().AddDays(-1), TimeProvider.System.GetUtcNow().AddDays(1));
        return X509CertificateLoader.LoadPkcs12(made.Export(X509ContentType.Pkcs12), null);
    }
}
