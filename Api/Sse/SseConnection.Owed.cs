using System.Buffers;
using OrleansEvents.Api.Metrics;
using OrleansEvents.Streams;

namespace OrleansEvents.Api.Sse;

internal sealed partial class SseConnection
{
    private const int BacklogPage = 256;

    /// <summary>What was owed up to the head at the beginning is carried beside the line; what comes after, on
    /// it.</summary>
    private long _backlogThrough;
    private long _backlogAfter;
    private bool _backlogDone;

    private bool IsBacklogLeft => _subscriber is not null && !_backlogDone;

    /// <summary>The next page of what the subscriber is owed. True: there is more of it, and the line waits.</summary>
    private async ValueTask<bool> WriteBacklog()
    {
        if (!IsBacklogLeft) return false;
        var read = await AfterFlush(_table.Operations.LimitRead(_subscriber!.ReadOwed(_backlogAfter, _backlogThrough,
            BacklogPage, _table.Options.MaxSendBytes), "read_owed", _lines[0].Feed.Stream));
        if (read.Refusal is { } refusal)
        {
            // The line goes on; what is owed stays owed, and comes with the next connection.
            _output.Write(_table.Problem(refusal.Code, refusal.Detail));
            _backlogDone = true;
            return false;
        }
        using (var page = read.Value!)
        {
            foreach (ref readonly var slot in page.Slots)
            {
                _backlogAfter = slot.Seq;
                _shape.Write(_output, page.FrameOf(slot), slot, beside: true);
                if (Spans.AreWanted) Spans.Deliver(_lines[0].Feed.Stream, page.FrameOf(slot), slot.Seq, Id);
                _carried.Add(slot.Seq);
                _events++;
                if (_table.Logger.IsEnabled(LogLevel.Debug))
                    CarriedOwed(_table.Logger, Id, _lines[0].Feed.Stream, slot.Seq, _request.Subscriber!);
            }
            _backlogDone = page.Count == 0;
        }
        return !_backlogDone;
    }

    /// <summary>The line has jumped: what is owed between comes beside it after all.</summary>
    private void OweAgain(long after, long through)
    {
        _backlogAfter = Math.Max(after, _backlogThrough);
        _backlogThrough = Math.Max(through, _backlogThrough);
        _backlogDone = false;
    }

    /// <summary>Whether an event goes out on the line: not what this connection carries beside it, nor what was
    /// acknowledged.</summary>
    private bool CarriesOnLine(in EventSlot slot)
    {
        if (_subscriber is null || !slot.Critical) return true;
        var state = _subscriber.StateOf(slot.Seq);
        if (state == OwedState.Acknowledged) return false;
        if (state == OwedState.NotOwed) return true;
        if (slot.Seq <= _backlogThrough) return false;
        _carried.Add(slot.Seq);
        return true;
    }

    [LoggerMessage(EventIds.CarriedOwed, LogLevel.Debug,
        "Connection {Connection}: stream {Stream}, seq {Seq} owed to subscriber {Subscriber} carried")]
    private static partial void CarriedOwed(ILogger logger, string connection, string stream, long seq,
        string subscriber);
}
