using System.Buffers;
using System.IO.Pipelines;
using OrleansEvents.Streams;

namespace OrleansEvents.Api.Sse;

/// <summary>
/// Where a connection's bytes go: to the server's pipe (HTTP/2, TLS, a connection that has answered before), or
/// straight to the socket. What is written waits for <see cref="Flush"/>; a block's frames may go out at once.
/// </summary>
internal abstract class SseOutput : IBufferWriter<byte>
{
    /// <summary>Bytes that wait for a flush.</summary>
    public abstract long Unflushed { get; }

    /// <summary>Whether the other side took less than it was given: more is for after the flush.</summary>
    public abstract bool IsBlocked { get; }

    /// <summary>Bytes taken since the beginning.</summary>
    public abstract long Taken { get; }

    public abstract Memory<byte> GetMemory(int sizeHint = 0);

    public abstract Span<byte> GetSpan(int sizeHint = 0);

    public abstract void Advance(int count);

    /// <summary>Takes as many whole events from a block's beginning as it can without waiting, one at least.</summary>
    public abstract int Take(in FeedBlock block);

    /// <summary>Sends what waits; false when the connection is closed.</summary>
    public abstract ValueTask<bool> Flush();

    /// <summary>Ends the response.</summary>
    public abstract void Complete();
}

/// <summary>Through the web server's own pipe: whatever the protocol.</summary>
internal sealed class PipeOutput(PipeWriter pipe) : SseOutput
{
    private long _taken;

    public override long Unflushed => pipe.UnflushedBytes;

    public override bool IsBlocked => false;

    public override long Taken => _taken;

    public override Memory<byte> GetMemory(int sizeHint = 0) => pipe.GetMemory(sizeHint);

    public override Span<byte> GetSpan(int sizeHint = 0) => pipe.GetSpan(sizeHint);

    public override void Advance(int count)
    {
        _taken += count;
        pipe.Advance(count);
    }

    public override int Take(in FeedBlock block)
    {
        this.Write(block.Frames);
        return block.Count;
    }

    public override ValueTask<bool> Flush()
    {
        var flushing = pipe.FlushAsync();
        if (!flushing.IsCompletedSuccessfully) return Wait(flushing);
        var flushed = flushing.Result;
        return ValueTask.FromResult(!flushed.IsCompleted && !flushed.IsCanceled);
    }

    public override void Complete()
    {
        // The server ends the response when the handler returns.
    }

    private static async ValueTask<bool> Wait(ValueTask<FlushResult> flushing)
    {
        var flushed = await flushing;
        return !flushed.IsCompleted && !flushed.IsCanceled;
    }
}
