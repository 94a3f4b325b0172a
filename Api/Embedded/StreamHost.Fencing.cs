using OrleansEvents.Streams;

namespace OrleansEvents.Api.Embedded;

/// <summary>Another process has opened the stream: this host says so once, refuses who waits, sends its readers away
/// and leaves. The next use opens the stream anew, which takes it back.</summary>
internal sealed partial class StreamHost
{
    private bool _isFenced;

    /// <summary>A write that began in an epoch was refused. This host itself may have taken another since.</summary>
    private void Fence(LogFencedException e, ulong? epoch)
    {
        lock (_turn)
        {
            if (_isFenced || _phase == Phase.Gone || _stream?.Handle.Epoch != epoch) return;
            _isFenced = true;
        }
        Fenced(context.Logger, Name, e.Message);
        _ = LeaveFenced();
    }

    private async Task LeaveFenced()
    {
        await _life.WaitAsync();
        try
        {
            do await Drain();
            while (!BeginLeaving());
            if (_phase != Phase.Closing) return;
            Feed.MarkLost();
            Leave();
        }
        finally
        {
            _life.Release();
        }
    }

    /// <summary>False: something is staged again, whose publishers are to be told first.</summary>
    private bool BeginLeaving()
    {
        lock (_turn)
        {
            if (_phase != Phase.Open) return true;
            if (_stream!.HasStaged || Saving_UnderLock() is not null) return false;
            _phase = Phase.Closing;
            return true;
        }
    }

    [LoggerMessage(EventIds.StreamFenced, LogLevel.Critical,
        "Stream {Stream} was opened by another server over the same database, and is left to it: {Reason} Only the "
        + "nodes of one cluster may share a database")]
    private static partial void Fenced(ILogger logger, string stream, string reason);
}
