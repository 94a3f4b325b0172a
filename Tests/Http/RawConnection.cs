using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace OrleansEvents.Tests.Http;

/// <summary>One HTTP/1.1 connection, byte by byte: for what an HttpClient is too polite to send.</summary>
internal sealed class RawConnection : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private readonly TcpClient _client;
    private readonly Stream _bytes;
    private readonly BufferedStream _input;

    private RawConnection(TcpClient client, Stream bytes) =>
        (_client, _bytes, _input) = (client, bytes, new BufferedStream(bytes));

    /// <param name="address">The server's.</param>
    /// <param name="receiveBuffer">Of the socket: small ones make a reader that soon takes nothing.</param>
    public static async Task<RawConnection> Open(Uri address, int? receiveBuffer = null)
    {
        var client = new TcpClient { NoDelay = true };
        if (receiveBuffer is { } bytes) client.ReceiveBufferSize = bytes;
        await client.ConnectAsync(address.Host, address.Port);
        return new RawConnection(client, await TestPath.Secured(client.GetStream(), address));
    }

    public async Task Send(string text) => await _bytes.WriteAsync(Encoding.UTF8.GetBytes(text));

    public async Task Send(ReadOnlyMemory<byte> bytes) => await _bytes.WriteAsync(bytes);

    /// <summary>A whole request, with <c>Host</c> and, for a body, <c>Content-Length</c>.</summary>
    public Task Request(string method, string path, string? body = null, string headers = "") =>
        Send(RequestText(method, path, body, headers));

    public static string RequestText(string method, string path, string? body = null, string headers = "") =>
        $"{method} {path} HTTP/1.1\r\nHost: x\r\n{headers}"
        + (body is null ? "\r\n" : $"Content-Length: {Encoding.UTF8.GetByteCount(body)}\r\n"
            + (headers.Contains("Content-Type", StringComparison.Ordinal) ? "" : "Content-Type: application/json\r\n")
            + $"\r\n{body}");

    /// <summary>The next answer, whole.</summary>
    public async Task<Answer> Receive(bool toHead = false)
    {
        var (status, headers) = await ReceiveHead();
        var hasBody = !toHead && status is not (HttpStatusCode.NoContent or HttpStatusCode.NotModified);
        var body = !hasBody ? []
            : headers.TryGetValue("Content-Length", out var length)
                ? await Exactly(int.Parse(length, CultureInfo.InvariantCulture))
            : headers.ContainsKey("Transfer-Encoding") ? await Chunks() : await Rest();
        return new Answer(status, headers, body);
    }

    /// <summary>The next answer's status and headers; its body is read with <see cref="ReadLine"/>.</summary>
    public async Task<(HttpStatusCode Status, Dictionary<string, string> Headers)> ReceiveHead()
    {
        var line = await ReadLine() ?? throw new IOException("The server closed the connection");
        var headers = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        while (await ReadLine() is { Length: > 0 } header)
        {
            var colon = header.IndexOf(':', StringComparison.Ordinal);
            headers[header[..colon]] = header[(colon + 1)..].Trim();
        }
        return ((HttpStatusCode)int.Parse(line.AsSpan(9, 3), CultureInfo.InvariantCulture), headers);
    }

    /// <summary>A line of whatever comes, chunk sizes among it; null at the end.</summary>
    public async Task<string?> ReadLine()
    {
        var line = new List<byte>();
        while (await ReadByte() is var next && next != '\n')
        {
            if (next < 0) return line.Count == 0 ? null : Encoding.UTF8.GetString([.. line]);
            line.Add((byte)next);
        }
        return Encoding.UTF8.GetString([.. line]).TrimEnd('\r');
    }

    /// <summary>Reads to the line that contains it.</summary>
    public async Task ReadUntil(string part)
    {
        while (await ReadLine() is { } line)
            if (line.Contains(part, StringComparison.Ordinal)) return;
        throw new IOException($"The answer ended before {part}");
    }

    /// <summary>Bytes until the server closes the connection, however it does.</summary>
    public async Task<int> BytesToEnd()
    {
        var count = 0;
        try
        {
            while (await ReadByte() >= 0) count++;
        }
        catch (IOException)
        {
            // Reset.
        }
        return count;
    }

    /// <summary>Says that nothing more will be sent, and goes on reading.</summary>
    public void EndSending() => _client.Client.Shutdown(SocketShutdown.Send);

    /// <summary>Cuts the connection: the server finds it reset.</summary>
    public void Cut()
    {
        _client.Client.LingerState = new LingerOption(enable: true, seconds: 0);
        _client.Close();
    }

    public void Dispose()
    {
        _input.Dispose();
        _client.Dispose();
    }

    private async Task<int> ReadByte()
    {
        var one = new byte[1];
        using var limit = new CancellationTokenSource(Patience);
        return await _input.ReadAsync(one, limit.Token) == 0 ? -1 : one[0];
    }

    private async Task<byte[]> Exactly(int count)
    {
        var bytes = new byte[count];
        using var limit = new CancellationTokenSource(Patience);
        await _input.ReadExactlyAsync(bytes, limit.Token);
        return bytes;
    }

    private async Task<byte[]> Chunks()
    {
        var body = new MemoryStream();
        while (await ReadLine() is { } size)
        {
            var length = int.Parse(size, NumberStyles.HexNumber, CultureInfo.InvariantCulture);
            body.Write(await Exactly(length));
            await ReadLine();
            if (length == 0) break;
        }
        return body.ToArray();
    }

    private async Task<byte[]> Rest()
    {
        var body = new MemoryStream();
        using var limit = new CancellationTokenSource(Patience);
        await _input.CopyToAsync(body, limit.Token);
        return body.ToArray();
    }
}
