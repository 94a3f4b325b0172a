using System.Buffers;
using System.IO.Pipelines;
using OrleansEvents.Api.Http;
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
/// <param name="pipe">The response's.</param>
/// <param name="records">Where HTTP/1.1 is encrypted: what its records are gathered in.</param>
internal sealed class PipeOutput(PipeWriter pipe, HeldOutput? records = null) : SseOutput
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
        records?.Gather();
        var flushing = pipe.FlushAsync();
        if (!flushing.IsCompletedSuccessfully) return Wait(flushing);
        var isTaken = IsTaken(flushing.Result);
        if (records is null || !isTaken) return ValueTask.FromResult(isTaken);
        var sending = records.FlushTogether();
        return sending.IsCompletedSuccessfully ? ValueTask.FromResult(IsTaken(sending.Result)) : Wait(sending);
    }

    public override void Complete()
    {
        // The server ends the response when the handler returns.
    }

    private static bool IsTaken(FlushResult flushed) => !flushed.IsCompleted && !flushed.IsCanceled;

    private async ValueTask<bool> Wait(ValueTask<FlushResult> flushing)
    {
        records?.Scatter();
        var isTaken = IsTaken(await flushing);
        return isTaken && (records is null || IsTaken(await records.FlushTogether()));
    }
}
