using System.Buffers;
using OrleansEvents.Streams;

namespace OrleansEvents.Api.Sse;

/// <summary>
/// Where a connection's bytes go: to the server's pipe (HTTP/2, TLS, a connection that has answered before), or
/// straight to the socket. What is written waits for <see cref="Flush"/>; a block's frames may go out at once.
/// </summary>
internal abstract class SseOutput : IBufferWriter<byte>
{
    /// <summary>Whether the connection is the web server's no more: the request may end before the response.</summary>
    public abstract bool OutlivesRequest { get; }

    /// <summary>Bytes that wait for a flush.</summary>
    public abstract long Unflushed { get; }

    /// <summary>Whether the other side took less than it was given: more is for after the flush.</summary>
    public abstract bool IsBlocked { get; }

    /// <summary>Bytes taken since the beginning.</summary>
    public abstract long Taken { get; }

    /// <summary>Whether the client has gone, or the connection was cut.</summary>
    public abstract bool IsGone { get; }

    /// <summary>Signals <see cref="Signals.Closed"/> once it is gone.</summary>
    public abstract void Watch(SseConnection connection);

    public abstract Memory<byte> GetMemory(int sizeHint = 0);

    public abstract Span<byte> GetSpan(int sizeHint = 0);

    public abstract void Advance(int count);

    /// <summary>Takes as many whole events from a block's beginning as it can without waiting, one at least.</summary>
    public abstract int Take(in FeedBlock block);

    /// <summary>Sends what waits; false when the connection is closed.</summary>
    public abstract ValueTask<bool> Flush();

    /// <summary>Cuts the connection; not after <see cref="Complete"/>.</summary>
    public abstract void Abort();

    /// <summary>Ends the response, and the watch.</summary>
    public abstract void Complete();
}
