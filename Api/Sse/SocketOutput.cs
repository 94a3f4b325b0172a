using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Net.Sockets;
using System.Text;
using Microsoft.AspNetCore.Connections.Features;
using OrleansEvents.Api.Http;
using OrleansEvents.Streams;

namespace OrleansEvents.Api.Sse;

/// <summary>
/// Straight to the socket of a plain HTTP/1.1 connection: a block's frames go from the feed's own bytes into the
/// kernel, with no copy between and nothing kept for a reader that lags. The connection is taken from the web server,
/// which forgets it; the response's end is the connection's end.
/// </summary>
[SuppressMessage("Design", "CA1001", Justification = "Its end is Complete.")]
internal sealed class SocketOutput : SseOutput
{
    private readonly Socket _socket;
    private readonly OpenConnections _open;
    private readonly Listening _listening;
    private byte[] _waiting = [];
    private int _from;
    private int _to;
    private long _taken;
    private bool _closed;
    private bool _blocked;
    private volatile bool _gone;

    private SocketOutput(Socket socket, OpenConnections open)
    {
        (_socket, _open) = (socket, open);
        _listening = new Listening(this);
        open.Enter();
    }

    public override bool OutlivesRequest => true;

    public override long Unflushed => _to - _from;

    public override bool IsBlocked => _blocked;

    public override long Taken => _taken;

    public override bool IsGone => _gone;

    /// <summary>The socket of a connection that nothing else writes to, with the response's head waiting; null where
    /// there is none. The request's own way to the client is closed then.</summary>
    public static SocketOutput? TryTake(HttpContext http, OpenConnections open)
    {
        if (http.Request.Protocol != HttpProtocol.Http11 || http.Request.IsHttps) return null;
        if (http.Features.Get<IConnectionSocketFeature>()?.Socket is not { } servers) return null;
        // Only the first request of a connection: the answer to an earlier one may still be on its way.
        if (!http.TraceIdentifier.EndsWith(":00000001", StringComparison.Ordinal)) return null;
        if (TakenSocket.Of(servers) is not { } socket) return null;
        var output = new SocketOutput(socket, open);
        output.WriteHead(http);
        http.Abort();
        return output;
    }

    public override void Watch(SseConnection connection) => _listening.Begin(connection);

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

    public override void Abort()
    {
        _gone = true;
        // With something in flight and nothing said before, this resets the connection.
        _socket.Dispose();
    }

    public override void Complete()
    {
        try
        {
            // First said, then closed: what is on its way still arrives.
            if (!_gone) _socket.Shutdown(SocketShutdown.Send);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The client was faster.
        }
        Release();
        _socket.Dispose();
        _listening.Dispose();
        _open.Leave();
    }

    private async ValueTask<bool> Wait()
    {
        try
        {
            while (Unflushed > 0)
            {
                var sent = await _socket.SendAsync(_waiting.AsMemory(_from, _to - _from), SocketFlags.None);
                _from += sent;
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
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
    private void WriteHead(HttpContext http)
    {
        http.Features.Get<CrossOrigin.Headers>()?.Write();
        var head = new StringBuilder("HTTP/1.1 200 OK\r\nConnection: close\r\nDate: ")
            .Append(http.RequestServices.GetRequiredService<TimeProvider>().GetUtcNow().ToString("r",
                CultureInfo.InvariantCulture))
            .Append("\r\n");
        foreach (var (name, values) in http.Response.Headers)
            foreach (var value in values) head.Append(name).Append(": ").Append(value).Append("\r\n");
        Encoding.Latin1.GetBytes(head.Append("\r\n").ToString(), this);
    }

    /// <summary>Waits without a buffer for what the client sends, which is passed over, until it has gone.</summary>
    private sealed class Listening : SocketAsyncEventArgs
    {
        /// <summary>Who sends more behind a request for events is no reader of them.</summary>
        private const int MostPassedOver = 65_536;
        private readonly SocketOutput _output;
        private SseConnection? _connection;
        private int _passedOver;

        public Listening(SocketOutput output) : base(true)
        {
            _output = output;
            SetBuffer(Memory<byte>.Empty);
        }

        public void Begin(SseConnection connection)
        {
            _connection = connection;
            if (!TryListen()) End();
        }

        protected override void OnCompleted(SocketAsyncEventArgs e)
        {
            if (!PassOver() || !TryListen()) End();
        }

        private bool TryListen()
        {
            try
            {
                while (!_output._socket.ReceiveAsync(this))
                    if (!PassOver()) return false;
                return true;
            }
            catch (ObjectDisposedException)
            {
                return false;
            }
        }

        private bool PassOver()
        {
            if (SocketError != SocketError.Success) return false;
            Span<byte> passed = stackalloc byte[1024];
            try
            {
                while (true)
                {
                    var count = _output._socket.Receive(passed, SocketFlags.None, out var error);
                    if (error == SocketError.WouldBlock) return true;
                    _passedOver += count;
                    if (error != SocketError.Success || count == 0 || _passedOver > MostPassedOver) return false;
                }
            }
            catch (ObjectDisposedException)
            {
                return false;
            }
        }

        private void End()
        {
            _output.Abort();
            _connection!.Signal(Signals.Closed);
        }
    }
}
