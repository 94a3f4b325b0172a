using OrleansEvents.Streams;

namespace OrleansEvents.Api.Sse;

/// <summary>
/// The short way. Most often a reader of one stream has all there was, and is to have what has come since as it is:
/// that is sent by the sweep itself, without a round. Whatever else there is to do, or comes up, is a round's matter.
/// </summary>
internal sealed partial class SseConnection
{
    /// <summary>Somebody pumps, and nobody has signalled since.</summary>
    private const int Pumped = (int)Signals.Scheduled;

    /// <summary>Whether nothing but the next events of its one stream is missing; whoever pumps says so last.</summary>
    private bool _isAtRest;

    /// <summary>A sweep has come to this line.</summary>
    /// <param name="line">One of the connection's.</param>
    /// <param name="now">When the sweep began.</param>
    public void Advance(StreamLine line, in Instant now)
    {
        if (Interlocked.CompareExchange(ref _signals, Pumped, 0) != 0)
        {
            line.Advanced();
            return;
        }
        // From here on this is the pump.
        if (_isAtRest && TrySendNext(line, now))
        {
            if (Interlocked.CompareExchange(ref _signals, 0, Pumped) == Pumped) return;
        }
        else
        {
            line.TryQueue();
        }
        _ = Pump();
    }

    /// <summary>The writer of the stream itself has come to this line. False: there is more to do, or somebody does it,
    /// and a sweep has to come: a round may take long, and the writer has others to serve.</summary>
    public bool TryAdvance(StreamLine line, in Instant now)
    {
        if (!_isAtRest || Interlocked.CompareExchange(ref _signals, Pumped, 0) != 0) return false;
        var isDone = _isAtRest && TrySendNext(line, now);
        _isAtRest = isDone;
        // Whoever has signalled meanwhile left it to this pump.
        return Interlocked.And(ref _signals, ~Pumped) == Pumped && isDone;
    }

    /// <summary>Sends what comes next. False: there is more to do.</summary>
    private bool TrySendNext(StreamLine line, in Instant now)
    {
        // Before reading: after the end nothing is appended.
        if (line.Feed.History.State != StreamState.Open) return false;
        switch (line.Feed.Read(ref line.Reader, _table.Options.MaxSendBytes, out var block))
        {
            case FeedRead.Nothing: return true;
            case FeedRead.Behind: return false;
        }
        using (block) WriteWhole(line, block);
        CountDelivered();
        if (_output.Unflushed > 0 || line.Reader.MayHaveMore) return false;
        Volatile.Write(ref _sentMs, now.Ms);
        _caughtUpMs = now.UnixMs;
        return true;
    }

    // What goes through the pipe needs a flush, which is a round's.
    private bool IsAtRest() => _output is SocketOutput && _greeted && !_finishing && _subscriber is null
        && !_request.IsMany && _shape.IsPlain && _waiting.Count == 0 && _output.Unflushed == 0
        && _lines is [{ Started: true, Ended: false, WaitsForStorage: false }];
}
