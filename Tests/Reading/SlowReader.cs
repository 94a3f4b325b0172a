using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using OrleansEvents.Api.Sse;
using OrleansEvents.Tests.Http;

namespace OrleansEvents.Tests.Reading;

/// <summary>A reader that has asked for a stream and reads nothing of the answer until it is told to. On each way that
/// the answer can take: straight to the socket, through the server's pipe, over HTTP/2, over TLS.</summary>
internal sealed class SlowReader(IDisposable connection, StreamReader answer) : IDisposable
{
    public static readonly string Data = $"\"{new string('x', 10_000)}\"";
    private const string Name = "CN=localhost";

    /// <summary>A server with an address for plain text and one for TLS, with ways as they are named here.</summary>
    public static Task<TestServer> Server(string way, params string[] options) => TestServer.StartWith(
        services => services.Configure<KestrelServerOptions>(kestrel =>
            kestrel.ConfigureHttpsDefaults(https => https.ServerCertificate = Certificate())),
        ["--urls", "http://127.0.0.1:0;https://127.0.0.1:0", "--Sse:DirectSend", way == "pipe" ? "false" : "true",
            .. options]);

    public static async Task<SlowReader> Open(TestServer server, string stream, string way = "direct")
    {
        var address = server.Running.Addresses[way == "tls" ? 1 : 0];
        if (way == "http2") return await OpenHttp2(address, stream);
        // A small window makes a reader that soon takes nothing.
        var client = new TcpClient { NoDelay = true, ReceiveBufferSize = 4096 };
        await client.ConnectAsync(address.Host, address.Port);
        Stream bytes = client.GetStream();
        if (way == "tls")
        {
            var secured = new SslStream(bytes, false, (_, certificate, _, _) =>
                certificate?.Subject == Name);
            await secured.AuthenticateAsClientAsync("localhost");
            bytes = secured;
        }
        await bytes.WriteAsync(Encoding.ASCII.GetBytes(
            $"GET /api/streams/{stream}/events HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n"));
        return new SlowReader(client, new StreamReader(bytes));
    }

    /// <summary>Publishes until the only connection takes nothing more.</summary>
    public static async Task<SlowReader> Stalled(TestServer server, string stream)
    {
        var reader = await Open(server, stream);
        await server.Left(1);
        await Given.Until(async () =>
        {
            for (var i = 0; i < 50; i++) await server.Engine().PublishFast(stream, Data);
            return server.Connections().All.Single().BlockedSinceMs is not null;
        });
        return reader;
    }

    /// <summary>The next line that holds a text.</summary>
    public async Task<string> Next(string text)
    {
        using var limit = new CancellationTokenSource(SseReader.Patience);
        while (await answer.ReadLineAsync(limit.Token) is { } line)
            if (line.Contains(text, StringComparison.Ordinal)) return line;
        throw new IOException($"The answer ended without {text}");
    }

    public void Dispose()
    {
        answer.Dispose();
        connection.Dispose();
    }

    private static async Task<SlowReader> OpenHttp2(Uri address, string stream)
    {
        var http = new HttpClient { BaseAddress = address };
        using var request = new HttpRequestMessage(HttpMethod.Get, $"/api/streams/{stream}/events")
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
        };
        request.Headers.Accept.ParseAdd("text/event-stream");
        var answer = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        return new SlowReader(http, new StreamReader(await answer.Content.ReadAsStreamAsync()));
    }

    private static X509Certificate2 Certificate()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var made = new CertificateRequest(Name, key, HashAlgorithmName.SHA256)
            .CreateSelfSigned(TimeProvider.System.GetUtcNow().AddDays(-1), TimeProvider.System.GetUtcNow().AddDays(1));
        return X509CertificateLoader.LoadPkcs12(made.Export(X509ContentType.Pkcs12), null);
    }
}
