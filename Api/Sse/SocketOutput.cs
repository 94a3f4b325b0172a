using System.Buffers;
using System.Globalization;
using System.Net.Sockets;
using System.Text;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http.Features;
using OrleansEvents.Api.Http;
using OrleansEvents.Streams;

namespace OrleansEvents.Api.Sse;

/// <summary>
/// Straight to the socket of a plain HTTP/1.1 connection: a block's frames go from the feed's own bytes into the
/// kernel, with no copy between and nothing kept for a reader that lags. The server keeps reading the connection, and
/// so notices when it closes. The response's end is the connection's end.
/// </summary>
internal sealed class SocketOutput : SseOutput
{
    private readonly HttpContext _http;
    private readonly Socket _socket;
    private byte[] _waiting = [];
    private int _from;
    private int _to;
    private long _taken;
    private bool _closed;
    private bool _blocked;

    private SocketOutput(HttpContext http, Socket socket) => (_http, _socket) = (http, socket);

    public override long Unflushed => _to - _from;

    public override bool IsBlocked => _blocked;

    public override long Taken => _taken;

    /// <summary>The socket of a connection that nothing else writes to; null where there is none.</summary>
    public static SocketOutput? TryTake(HttpContext http)
    {
        if (http.Request.Protocol != HttpProtocol.Http11 || http.Request.IsHttps) return null;
        if (http.Features.Get<IConnectionSocketFeature>()?.Socket is not { } socket) return null;
        // Only the first request of a connection: the answer to an earlier one may still be on its way.
        if (!http.TraceIdentifier.EndsWith(":00000001", StringComparison.Ordinal)) return null;
        socket.Blocking = false;
        var output = new SocketOutput(http, socket);
        output.WriteHead();
        return output;
    }

    public override Memory<byte> GetMemory(int sizeHint = 0)
    {
        Reserve(Math.Max(sizeHint, 256));
        return _waiting.AsMemory(_to);
    }

    public override Span<byte> GetSpan(int sizeHint = 0) => GetMemory(sizeHint).Span;

    public override void Advance(int count)
    {
        _to += count;
        _taken += count;
    }

    public override int Take(in FeedBlock block)
    {
        SendWaiting();
        var frames = block.Frames;
        var sent = Unflushed == 0 ? Send(frames) : 0;
        if (sent == frames.Length)
        {
            _taken += sent;
            return block.Count;
        }
        // The rest of the frame that was cut, or one whole frame to wait with: never more than an event is copied.
        var events = 0;
        var start = block[0].Offset;
        do events++;
        while (block[events - 1].End - start <= sent && events < block.Count);
        this.Write(frames[sent..(block[events - 1].End - start)]);
        _taken += sent;
        return events;
    }

    public override ValueTask<bool> Flush()
    {
        SendWaiting();
        if (Unflushed > 0 && !_closed) return Wait();
        _blocked = false;
        return ValueTask.FromResult(!_closed);
    }

    public override void Complete()
    {
        try
        {
            if (!_closed) _socket.Shutdown(SocketShutdown.Send);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The client was faster.
        }
        Release();
        _http.Abort();
    }

    private async ValueTask<bool> Wait()
    {
        try
        {
            while (Unflushed > 0)
            {
                var sent = await _socket.SendAsync(_waiting.AsMemory(_from, _to - _from), SocketFlags.None,
                    _http.RequestAborted);
                _from += sent;
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException or OperationCanceledException)
        {
            _closed = true;
        }
        Release();
        _blocked = false;
        return !_closed;
    }

    private void SendWaiting()
    {
        if (Unflushed == 0) return;
        _from += Send(_waiting.AsSpan(_from, _to - _from));
        if (Unflushed == 0) Release();
    }

    private int Send(ReadOnlySpan<byte> bytes)
    {
        if (_closed) return 0;
        try
        {
            var sent = _socket.Send(bytes, SocketFlags.None, out var error);
            if (error is not (SocketError.Success or SocketError.WouldBlock)) _closed = true;
            if (error != SocketError.Success) sent = 0;
            _blocked |= sent < bytes.Length;
            return sent;
        }
        catch (ObjectDisposedException)
        {
            _closed = true;
            return 0;
        }
    }

    private void Reserve(int bytes)
    {
        if (_waiting.Length - _to >= bytes) return;
        var larger = BytePool.Rent(Math.Max(_to - _from + bytes, 512));
        _waiting.AsSpan(_from, _to - _from).CopyTo(larger);
        (_to, _from) = (_to - _from, 0);
        if (_waiting.Length > 0) BytePool.Return(_waiting);
        _waiting = larger;
    }

    private void Release()
    {
        (_from, _to) = (0, 0);
        if (_waiting.Length == 0) return;
        BytePool.Return(_waiting);
        _waiting = [];
    }

    /// <summary>The response's head. Without a length or chunks, its body ends with the connection (RFC 9112,
    /// 6.3).</summary>
    private void WriteHead()
    {
        _http.Features.Get<CrossOrigin.Headers>()?.Write();
        var head = new StringBuilder("HTTP/1.1 200 OK\r\nConnection: close\r\nDate: ")
            .Append(_http.RequestServices.GetRequiredService<TimeProvider>().GetUtcNow().ToString("r",
                CultureInfo.InvariantCulture))
            .Append("\r\n");
        foreach (var (name, values) in _http.Response.Headers)
            foreach (var value in values) head.Append(name).Append(": ").Append(value).Append("\r\n");
        Encoding.Latin1.GetBytes(head.Append("\r\n").ToString(), this);
    }
}
