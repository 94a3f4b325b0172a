using Orleans.Streams;
using OrleansEvents.Grains.Interfaces;
using OrleansEvents.Streams;

namespace OrleansEvents.Grains.Bridge;

/// <summary>
/// One follower's place in an event stream: a reader of the node's feed like any connection. The agent takes the next
/// batch when the follower has taken the one before, so a slow one costs nobody anything; when the ring has passed it,
/// it is told a gap, or, of a durable stream, given what is in storage.
/// </summary>
internal sealed class FollowedCursor : IQueueCacheCursor
{
    private const int Events = 256;
    private const int Bytes = 64 << 10;

    private readonly FollowedFeed _stream;
    private StreamFeed? _feed;
    private FeedReader _reader;
    private FollowedBatch? _current;
    private EventPosition _position;
    private FollowedBatch? _anchor;
    private Gap? _gap;
    private bool _isEndTold;
    private Task<Outcome<EventRun>>? _stored;
    private long _storedThrough;

    /// <param name="stream">The stream.</param>
    /// <param name="position">Where to begin.</param>
    /// <param name="isKnown">Whether the agent asked for that position. Then it comes once more, without events: the
    /// agent passes over what the follower has had by one step, and asks it by that whether it has.</param>
    public FollowedCursor(FollowedFeed stream, EventPosition position, bool isKnown)
    {
        (_stream, _position, Passed) = (stream, position, position.Cursor);
        _isEndTold = position.EventIndex > 0;
        if (isKnown) _anchor = Batch(PackedRun.Empty, null, null, position);
    }

    /// <summary>What the follower has taken.</summary>
    public Cursor Passed { get; private set; }

    public IBatchContainer GetCurrent(out Exception? exception)
    {
        exception = null;
        return _current!;
    }

    public bool MoveNext()
    {
        Passed = _position.Cursor;
        _current = _anchor ?? Lost() ?? Next();
        _anchor = null;
        if (_current is null) return false;
        _position = _current.Position;
        return true;
    }

    public void Refresh(StreamSequenceToken token)
    {
    }

    /// <summary>The follower did not take the current batch, however often it was given it: it is told what it misses,
    /// until it takes that.</summary>
    public void RecordDeliveryFailure()
    {
        if (_current is not { } lost) return;
        _gap = lost.Events.Count == 0
            ? lost.Gap
            : new Gap(Passed.ToString(), lost.Position.Cursor, lost.Events.Count, GapReason.Slow);
        if (lost.Ended is not null) _isEndTold = false;
    }

    public void Dispose()
    {
        _stream.Leave(this);
        _stored?.ContinueWith(static late => late.Result.Value?.Dispose(), CancellationToken.None,
            TaskContinuationOptions.OnlyOnRanToCompletion, TaskScheduler.Default);
        _stored = null;
    }

    private FollowedBatch? Lost()
    {
        if (_gap is not { } gap) return null;
        _gap = null;
        return Batch(PackedRun.Empty, gap, null, new EventPosition(gap.ResumedAt));
    }

    private FollowedBatch? Next()
    {
        while (true)
        {
            if (_feed is null)
            {
                // Of a stream that does not exist, all is still to come.
                if (_stream.Feed is not { } feed || feed.History.Epoch == 0) return null;
                if (Begin(feed) is { } begun) return begun;
            }
            switch (_feed!.Read(ref _reader, Bytes, out var block))
            {
                case FeedRead.Nothing:
                    if (Ended() is { } end) return end;
                    if (_stream.Feed is not { } now || now == _feed) return null;
                    _feed = null;
                    continue;
                case FeedRead.Behind:
                    if (CatchUp(out var caught)) continue;
                    return caught;
            }
            using (block)
            {
                _reader.Pass(block, Math.Min(block.Count, Events));
                return Batch(PackedRun.Of(block, Math.Min(block.Count, Events)), null, null);
            }
        }
    }

    private FollowedBatch? Begin(StreamFeed feed)
    {
        _feed = feed;
        var from = _position.Cursor.Epoch == 0 ? ReadFrom.Beginning : ReadFrom.After(_position.Cursor);
        return MoveTo(feed.Resolve(from));
    }

    private FollowedBatch? MoveTo(in ReadStart start)
    {
        _reader.MoveTo(start);
        return start.Gap is { } gap ? Batch(PackedRun.Empty, gap, null) : null;
    }

    private FollowedBatch? Ended()
    {
        var state = _feed!.History.State;
        if (_isEndTold || state is not (StreamState.Completed or StreamState.Deleted)) return null;
        _isEndTold = true;
        return Batch(PackedRun.Empty, null, state, new EventPosition(_reader.Position, 1));
    }

    /// <summary>The ring has passed the follower. True: it goes on from another place.</summary>
    private bool CatchUp(out FollowedBatch? batch)
    {
        batch = null;
        var start = _feed!.Overtaken(_reader, GapReason.Slow);
        if (start.Gap is not null || start.Seq != _reader.Seq)
        {
            batch = MoveTo(start);
            return batch is null;
        }
        if (_stored is null)
        {
            // Before reading: all up to it is in storage, so that what is not found there is not.
            _storedThrough = _feed.Floor;
            _stored = ReadStored();
        }
        if (!_stored.IsCompleted) return false;
        var read = _stored.Result;
        _stored = null;
        if (read.Refusal is not null)
        {
            _ = _stream.MoveLater();
            return false;
        }
        using var run = read.Value!;
        _reader.MoveTo(run.Count > 0 ? run.Last : Math.Max(_storedThrough, _reader.Seq));
        if (run.Count > 0) batch = Batch(PackedRun.Of(run), null, null);
        return batch is null;
    }

    private async Task<Outcome<EventRun>> ReadStored()
    {
        try
        {
            var after = _reader.Seq;
            return await OutsideGrains.Call(() => _stream.Streams.ReadStored(_stream.Name, after, Events, Bytes));
        }
#pragma warning disable CA1031 // Whatever it is, storage is asked again.
        catch (Exception e)
#pragma warning restore CA1031
        {
            return new Refusal(Streams.ErrorCode.StoreUnavailable, e.Message);
        }
        finally
        {
            _stream.Move();
        }
    }

    private FollowedBatch Batch(PackedRun events, Gap? gap, StreamState? ended, EventPosition? position = null) =>
        new(_stream.StreamId, position ?? new EventPosition(_reader.Position), events, gap, ended);
}
