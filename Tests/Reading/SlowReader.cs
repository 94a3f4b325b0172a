using System.Net;
using System.Net.Sockets;
using System.Text;
using OrleansEvents.Api.Sse;
using OrleansEvents.Tests.Http;

namespace OrleansEvents.Tests.Reading;

/// <summary>A reader that has asked for a stream and reads nothing of the answer until it is told to. On each way that
/// the answer can take: straight to the socket, through the server's pipe, over HTTP/2, over TLS.</summary>
internal sealed class SlowReader(IDisposable connection, StreamReader answer) : IDisposable
{
    public static readonly string Data = $"\"{new string('x', 10_000)}\"";

    /// <summary>A server with an address for plain text and one for TLS, with ways as they are named here.</summary>
    public static Task<TestServer> Server(string way, params string[] options) => TestServer.Start(
        ["--urls", "http://127.0.0.1:0;https://127.0.0.1:0", "--Sse:DirectSend", way == "pipe" ? "false" : "true",
            .. options]);

    public static async Task<SlowReader> Open(TestServer server, string stream, string way = "direct")
    {
        var address = server.Running.Addresses[way == "tls" ? 1 : 0];
        if (way == "http2") return await OpenHttp2(address, stream);
        // A small window makes a reader that soon takes nothing.
        var client = new TcpClient { NoDelay = true, ReceiveBufferSize = 4096 };
        await client.ConnectAsync(address.Host, address.Port);
        var bytes = await TestPath.Secured(client.GetStream(), address);
        await bytes.WriteAsync(Encoding.ASCII.GetBytes(
            $"GET /api/streams/{stream}/events HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n"));
        return new SlowReader(client, new StreamReader(bytes));
    }

    /// <summary>Publishes until the only connection takes nothing more.</summary>
    public static async Task<SlowReader> Stalled(TestServer server, string stream)
    {
        var reader = await Open(server, stream, TestPath.Name == "h2" ? "http2" : "direct");
        await server.Left(1);
        await Stall(server, server.Connections().All.Single(), Data, 50);
        return reader;
    }

    /// <summary>Publishes until a connection takes nothing more, or is closed.</summary>
    public static async Task Stall(TestServer server, SseConnection connection, string data, int atOnce)
    {
        var (since, rounds) = (connection.BlockedSinceMs, 0);
        // Again and again the same wait: the server's pipe, too, waits now and then for a thread to empty it.
        await Given.Until(async () =>
        {
            for (var i = 0; i < atOnce; i++) await server.Engine().PublishFast(connection.Streams, data);
            var now = connection.BlockedSinceMs;
            (since, rounds) = (now, now is not null && now == since ? rounds + 1 : 0);
            return rounds == 20 || connection.IsClosed;
        });
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
}
