using System.Buffers;
using System.IO.Pipelines;
using OrleansEvents.Api.Http;
using OrleansEvents.Streams;

namespace OrleansEvents.Api.Sse;

/// <summary>Through the web server's own pipe: whatever the protocol.</summary>
internal sealed class PipeOutput(HttpContext http) : SseOutput
{
    private readonly PipeWriter _pipe = http.Response.BodyWriter;

    /// <summary>Where HTTP/1.1 is encrypted: what its records are gathered in.</summary>
    private readonly HeldOutput? _records = HeldOutput.BelowTls(http);
    private CancellationTokenRegistration _watch;
    private long _taken;

    public override bool OutlivesRequest => false;

    public override long Unflushed => _pipe.UnflushedBytes;

    public override bool IsBlocked => false;

    public override long Taken => _taken;

    public override bool IsGone => http.RequestAborted.IsCancellationRequested;

    public override void Watch(SseConnection connection) => _watch = http.RequestAborted.UnsafeRegister(
        static self => ((SseConnection)self!).Signal(Signals.Closed), connection);

    public override Memory<byte> GetMemory(int sizeHint = 0) => _pipe.GetMemory(sizeHint);

    public override Span<byte> GetSpan(int sizeHint = 0) => _pipe.GetSpan(sizeHint);

    public override void Advance(int count)
    {
        _taken += count;
        _pipe.Advance(count);
    }

    public override int Take(in FeedBlock block)
    {
        this.Write(block.Frames);
        return block.Count;
    }

    public override ValueTask<bool> Flush()
    {
        _records?.Gather();
        var flushing = _pipe.FlushAsync();
        if (!flushing.IsCompletedSuccessfully) return Wait(flushing);
        var isTaken = IsTaken(flushing.Result);
        if (_records is null || !isTaken) return ValueTask.FromResult(isTaken);
        var sending = _records.FlushTogether();
        return sending.IsCompletedSuccessfully ? ValueTask.FromResult(IsTaken(sending.Result)) : Wait(sending);
    }

    public override void Abort() => http.Abort();

    // The server ends the response when the handler returns.
    public override void Complete() => _watch.Dispose();

    private static bool IsTaken(FlushResult flushed) => !flushed.IsCompleted && !flushed.IsCanceled;

    private async ValueTask<bool> Wait(ValueTask<FlushResult> flushing)
    {
        _records?.Scatter();
        var isTaken = IsTaken(await flushing);
        return isTaken && (_records is null || IsTaken(await _records.FlushTogether()));
    }
}
