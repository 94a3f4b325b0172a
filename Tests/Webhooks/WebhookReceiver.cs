using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace OrleansEvents.Tests.Webhooks;

/// <summary>A request as its receiver got it.</summary>
internal sealed record ReceivedRequest(string Line, IReadOnlyDictionary<string, string> Headers, byte[] Body,
    int Connection)
{
    public string Text => Encoding.UTF8.GetString(Body);
}

/// <summary>An endpoint on a free port of loopback that answers byte by byte what a test wants, or nothing.</summary>
internal sealed class WebhookReceiver : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stopped = new();
    private readonly X509Certificate2? _certificate;
    private readonly Task _accepting;
    private int _connections;
    private int _underWay;

    public WebhookReceiver(Func<ReceivedRequest, ReceivedConnection, Task>? answer = null,
        X509Certificate2? certificate = null)
    {
        Answer = answer ?? ((_, connection) => connection.Send(Status(200)));
        _certificate = certificate;
        _listener.Start();
        _accepting = Accept();
    }

    /// <summary>What is done with each request.</summary>
    public Func<ReceivedRequest, ReceivedConnection, Task> Answer { get; set; }

    public ConcurrentQueue<ReceivedRequest> Requests { get; } = new();

    public int Connections => Volatile.Read(ref _connections);

    /// <summary>The most requests that were under way at once.</summary>
    public int MostUnderWay { get; private set; }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    public string Url => $"{(_certificate is null ? "http" : "https")}://127.0.0.1:{Port}/hook?token=hidden";

    /// <summary>An answer without a body.</summary>
    public static string Status(int status, string headers = "") =>
        string.Create(CultureInfo.InvariantCulture, $"HTTP/1.1 {status} X\r\nContent-Length: 0\r\n{headers}\r\n");

    public static Task AnswerStatus(ReceivedConnection connection, int status, string headers = "") =>
        connection.Send(Status(status, headers));

    public async ValueTask DisposeAsync()
    {
        await _stopped.CancelAsync();
        _listener.Dispose();
        await _accepting;
        _stopped.Dispose();
        _certificate?.Dispose();
    }

    private async Task Accept()
    {
        var serving = new List<Task>();
        try
        {
            while (true)
            {
                var client = await _listener.AcceptTcpClientAsync(_stopped.Token);
                serving.Add(Serve(client, Interlocked.Increment(ref _connections)));
            }
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or InvalidOperationException)
        {
            // The test is over.
        }
        await Task.WhenAll(serving);
    }

    private async Task Serve(TcpClient client, int number)
    {
        try
        {
            using (client)
            {
                await using var stream = await Open(client);
                var connection = new ReceivedConnection(client, stream, _stopped.Token);
                while (await Receive(stream, number) is { } request)
                {
                    lock (_listener) MostUnderWay = Math.Max(MostUnderWay, ++_underWay);
                    Requests.Enqueue(request);
                    try
                    {
                        await Answer(request, connection);
                    }
                    finally
                    {
                        lock (_listener) _underWay--;
                    }
                }
            }
        }
        catch (Exception e) when (e is IOException or OperationCanceledException or SocketException
            or ObjectDisposedException or System.Security.Authentication.AuthenticationException)
        {
            // Gone: what the sender does when it has had enough.
        }
    }

    private async Task<Stream> Open(TcpClient client)
    {
        if (_certificate is null) return client.GetStream();
        var tls = new SslStream(client.GetStream());
        await tls.AuthenticateAsServerAsync(new SslServerAuthenticationOptions
        {
            // Otherwise it is the receiver that fetches its issuer's certificate.
            ServerCertificateContext = SslStreamCertificateContext.Create(_certificate, null, offline: true),
        }, _stopped.Token);
        return tls;
    }

    private async Task<ReceivedRequest?> Receive(Stream stream, int number)
    {
        var head = new List<byte>();
        var one = new byte[1];
        while (!head.TakeLast(4).SequenceEqual("\r\n\r\n"u8.ToArray()))
        {
            if (await stream.ReadAsync(one, _stopped.Token) == 0) return null;
            head.Add(one[0]);
        }
        var lines = Encoding.ASCII.GetString([.. head]).Split("\r\n", StringSplitOptions.RemoveEmptyEntries);
        var headers = lines.Skip(1).Select(line => line.Split(": ", 2)).ToDictionary(
            parts => parts[0], parts => parts[1], StringComparer.OrdinalIgnoreCase);
        var length = headers.GetValueOrDefault("Content-Length", "0");
        var body = new byte[int.Parse(length, CultureInfo.InvariantCulture)];
        await stream.ReadExactlyAsync(body, _stopped.Token);
        return new ReceivedRequest(lines[0], headers, body, number);
    }
}

/// <summary>What an answer is written to.</summary>
internal sealed class ReceivedConnection(TcpClient client, Stream stream, CancellationToken stopped)
{
    public async Task Send(string text)
    {
        await stream.WriteAsync(Encoding.UTF8.GetBytes(text), stopped);
        await stream.FlushAsync(stopped);
    }

    /// <summary>Closes as a server that ends its answer.</summary>
    public void Close() => client.Client.Shutdown(SocketShutdown.Both);

    /// <summary>Closes as a process that dies.</summary>
    public void Reset()
    {
        client.LingerState = new LingerOption(true, 0);
        client.Client.Close();
    }

    /// <summary>Until the sender has gone, or the test is over.</summary>
    public async Task UntilGone()
    {
        var buffer = new byte[1024];
        while (await stream.ReadAsync(buffer, stopped) > 0)
        {
        }
    }

    /// <summary>Sends again and again until the sender has gone; returns how many bytes it was sent.</summary>
    public async Task<long> SendWithoutEnd(string text, TimeSpan every)
    {
        var sent = 0L;
        try
        {
            while (true)
            {
                await Send(text);
                sent += text.Length;
                if (every > TimeSpan.Zero) await Task.Delay(every, stopped);
            }
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException)
        {
            return sent;
        }
    }
}
