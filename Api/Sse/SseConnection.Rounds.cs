using System.Buffers;
using System.Text.Json;
using OrleansEvents.Api.Metrics;
using OrleansEvents.Api.Problems;
using OrleansEvents.Streams;

namespace OrleansEvents.Api.Sse;

internal sealed partial class SseConnection
{
    /// <summary>Positions over many streams go out at most this often while events flow.</summary>
    private const long PositionEveryMs = 1000;

    /// <summary>Blocks looked through in one round, beyond one a line, though the reader wants nothing in
    /// them.</summary>
    private const int MostTurns = 16;

    private readonly Queue<StreamLine> _waiting = new();
    private RareQueue<FeedLease> _appeared;
    private long _events;
    private long _eventsCounted;
    private long _bytesCounted;
    private bool _greeted;
    private bool _finishing;
    private bool _positionMoved;
    private StreamLine? _endsLater;
    private long _positionToldMs;

    /// <summary>A time at which everything had been passed, Unix milliseconds.</summary>
    private long _caughtUpMs;

    /// <summary>A stream that matches one of the connection's patterns has appeared; null: one too many.</summary>
    public void Appeared(FeedLease? lease)
    {
        if (lease is null)
        {
            Tell(_table.Problem(ErrorCode.RateLimited,
                "More streams match than one connection reads."));
            return;
        }
        _appeared.Enqueue(lease);
        // Not on this thread: it is opening the stream for its first publisher.
        _sweeper.Post(this);
        if (IsClosed && _appeared.TryDequeue(out var late)) late.Dispose();
    }

    /// <summary>One turn: everything that waits, at most so many bytes, then a flush. True: there is more.</summary>
    private async ValueTask<bool> Round(Signals signals)
    {
        var startedMs = _table.Now.UnixMs;
        if (!_greeted) Greet();
        while (_notices.TryDequeue(out var notice)) _output.Write(notice);
        while (_appeared.TryDequeue(out var lease)) Take(lease);
        if (_subscriber is { IsOver: true }) _finishing = true;
        var more = await WriteOwed();
        if (!more) LeaveOwedTurn();
        if (_endsLater is { } line) Await(line);
        _endsLater = null;
        more = more || await WriteLines();
        if (!more && !_lines.Exists(line => line.WaitsForStorage)) _caughtUpMs = startedMs;
        if (_request.IsMany && _positionMoved && IsPositionDue) signals |= Signals.Heartbeat;
        if ((signals & Signals.Heartbeat) != 0) WriteHeartbeat();
        if ((signals & Signals.Ping) != 0) WritePing();
        if ((signals & Signals.Stale) != 0) WriteStale();
        if ((signals & Signals.Shutdown) != 0) WriteShutdown();
        if ((signals & Signals.Silence) != 0 && _output.Unflushed == 0) _output.Write(":\n"u8);
        if (_carried.Count > 0) _subscriber!.GoingOut(_carried);
        if (_output.Unflushed > 0) await Flush();
        if ((signals & Signals.Ping) != 0) AwaitPong();
        CountDelivered();
        _finished |= _finishing;
        TellDelivered();
        LeaveOwedTurn();
        return more;
    }

    private bool IsPositionDue => _table.Now.Ms - _positionToldMs >= PositionEveryMs;

    /// <summary>The first frame. Its id is the position as the client knows it: a gap that follows has its
    /// own.</summary>
    private void Greet()
    {
        _greeted = true;
        var gaps = new List<(StreamLine Line, Gap Gap)>();
        foreach (var line in _lines)
        {
            // The head of what is not there yet is before everything.
            if (line.Feed.History.State == StreamState.Absent && line.From.Kind == ReadFromKind.Head)
                line.From = ReadFrom.Beginning;
            if (IsThere(line) && line.Start() is { } gap) gaps.Add((line, gap));
        }
        ServerFrame.Write(_output, "connected", this, static (json, self) => self.DescribeTo(json),
            id: _request.IsMany ? _request.IdToRepeat ?? PositionText() : SinglePositionText(gaps.Count > 0),
            retryMs: ConnectionTable.Jittered(_table.Options.Retry));
        foreach (var (line, gap) in gaps) WriteGap(line, gap);
        (_positionMoved, _positionToldMs) = (gaps.Count > 0, _table.Now.Ms);
        BeginOwed();
    }

    private void DescribeTo(Utf8JsonWriter json)
    {
        json.WriteString("connection", Id);
        if (_request.IsMany)
        {
            json.WriteStartArray("streams");
            foreach (var pattern in _request.Patterns) json.WriteStringValue(pattern.Text);
            json.WriteEndArray();
        }
        else
        {
            var feed = _lines[0].Feed;
            var known = IsThere(_lines[0]);
            json.WriteString("stream", feed.Stream);
            if (_request.Subscriber is { } subscriber) json.WriteString("subscriber", subscriber);
            json.WriteString("head", known ? feed.History.At(feed.Head).ToString() : null);
            json.WriteString("oldest", known ? feed.History.At(feed.Floor).ToString() : null);
            json.WriteNumber("pending", _subscriber?.PendingCount ?? 0);
        }
        json.WriteNumber("heartbeat", HeartbeatEvery.TotalSeconds);
    }

    private string? SinglePositionText(bool hasGap)
    {
        var line = _lines[0];
        if (line.Started && !hasGap) return line.Position.ToString();
        return line.From.Kind switch
        {
            ReadFromKind.Cursor or ReadFromKind.Beginning => line.From.Text,
            ReadFromKind.Buffer when !line.Started => "0",
            _ => null,
        };
    }

    private static bool IsThere(StreamLine line) =>
        line.Feed.History.State is StreamState.Open or StreamState.Completed;

    /// <summary>Lines in turn, while there is room in this round. True: some wait for the next.</summary>
    private async ValueTask<bool> WriteLines()
    {
        for (var line = Interlocked.Exchange(ref _queued, null); line is not null;)
        {
            // Unqueued first: a move from here on queues it again.
            var next = line.NextQueued;
            line.Unqueue();
            Await(line);
            line = next;
        }
        AwaitBehind();
        var until = _output.Taken + _table.Options.MaxSendBytes;
        for (var turns = _waiting.Count + MostTurns; turns > 0 && _waiting.Count > 0; turns--)
        {
            var room = until - _output.Taken;
            // Where the line has jumped, what is owed comes first.
            if (room <= 0 || _output.IsBlocked || OwedIsFirst || IsAsking) break;
            var line = _waiting.Dequeue();
            line.IsWaiting = false;
            if ((line.Started || Begin(line)) && !line.Ended && await Advance(line, (int)room)) Await(line);
        }
        // Whoever is asked or waited for wakes it.
        return _waiting.Count > 0 && !IsAsking && !(OwedIsFirst && AwaitsOwed) || MayReadMore;
    }

    /// <summary>Gives the line a turn, once however often it has moved.</summary>
    private void Await(StreamLine line)
    {
        if (line.IsWaiting) return;
        line.IsWaiting = true;
        _waiting.Enqueue(line);
    }

    private bool Begin(StreamLine line)
    {
        var state = line.Feed.History.State;
        if (state == StreamState.Deleted)
        {
            if (!line.Ended) WriteEnd(line, "deleted");
            return false;
        }
        if (state == StreamState.Lost) WriteLost(line);
        if (!IsThere(line)) return false;
        // It had been deleted, and is made again.
        line.Ended = false;
        if (line.Start() is { } gap) WriteGap(line, gap);
        return true;
    }

    private async ValueTask<bool> Advance(StreamLine line, int budget)
    {
        // Before reading: after the end nothing is appended.
        var state = line.Feed.History.State;
        if (state == StreamState.Deleted)
        {
            WriteEnd(line, "deleted");
            return false;
        }
        if (state == StreamState.Lost)
        {
            WriteLost(line);
            return false;
        }
        // The position stays while storage is read on from it.
        if (line.Stored is not null) return await TakeStored(line);
        switch (line.Feed.Read(ref line.Reader, budget, out var block))
        {
            case FeedRead.Block:
                WriteBlock(line, block);
                if (IsAsking) return true;
                return state == StreamState.Completed || line.Reader.MayHaveMore;
            case FeedRead.Behind:
                return CatchUp(line, budget);
            default:
                // What is owed and not due yet comes before the end.
                if (state == StreamState.Completed && _subscriber is { HasMore: true }) _endsLater = line;
                else if (state == StreamState.Completed) WriteEnd(line, "completed");
                return false;
        }
    }

    private void WriteBlock(StreamLine line, FeedBlock block)
    {
        using (block)
        {
            if (_subscriber is not null)
            {
                WriteOwing(line, block);
                return;
            }
            if (_shape.IsPlain)
            {
                WriteWhole(line, block);
                return;
            }
            for (var i = 0; i < block.Count; i++) WriteEvent(line, block.Frame(block[i]), block[i]);
            line.Reader.Pass(block, block.Count);
        }
    }

    /// <summary>Frames as they are, as many as the output takes; returns how many.</summary>
    private int WriteWhole(StreamLine line, FeedBlock block)
    {
        var taken = _output.Take(block);
        _events += taken;
        if (Spans.AreWanted) Spans.Deliver(line.Feed.Stream, block, taken, Id);
        line.Reader.Pass(block, taken);
        if (_table.Logger.IsEnabled(LogLevel.Debug))
            Carried(_table.Logger, Id, line.Feed.Stream, taken, block[0].Seq, line.Reader.Seq, line.Position);
        line.ToldSeq = line.Reader.Seq;
        return taken;
    }

    private void WriteEvent(StreamLine line, ReadOnlySpan<byte> frame, in EventSlot slot,
        LineCarry carry = LineCarry.Plain)
    {
        _positionMoved = true;
        if (carry == LineCarry.Skip) return;
        if (carry == LineCarry.Owed) _carried.Add(slot.Seq);
        else if (slot.AppendedMs < line.From.SinceMs || !_shape.Wants(frame, slot)) return;
        _shape.Write(_output, frame, slot);
        if (Spans.AreWanted) Spans.Deliver(line.Feed.Stream, frame, slot.Seq, Id);
        if (_table.Logger.IsEnabled(LogLevel.Debug))
            Carried(_table.Logger, Id, line.Feed.Stream, 1, slot.Seq, slot.Seq, line.Feed.History.At(slot.Seq));
        line.ToldSeq = slot.Seq;
        _events++;
    }

    private void Overtake(StreamLine line)
    {
        var before = line.Reader.Seq;
        var start = line.Feed.Overtaken(line.Reader, GapReason.Slow);
        line.MoveTo(start);
        if (start.Gap is { } gap) WriteGap(line, gap);
        if (_subscriber is not null) OweAgain(before, start.Seq);
    }

    private void WriteGap(StreamLine line, Gap gap)
    {
        _positionMoved = true;
        _gaps++;
        _table.Meter.GapsTold.One("reason", GapJson.NameOf(gap.Reason));
        ServerFrame.Write(_output, "gap", (line, gap), static (json, told) => GapJson.Write(json,
            told.line.Feed.Stream, told.gap),
            id: _request.IsMany ? null : line.Position.ToString());
    }

    private void WriteEnd(StreamLine line, string reason)
    {
        line.Ended = true;
        LetStoredGo(line);
        var head = line.Feed.History.At(line.Feed.Head).ToString();
        ServerFrame.Write(_output, "end", (line.Feed.Stream, head, reason), static (json, told) =>
        {
            json.WriteString("stream", told.Stream);
            json.WriteString("head", told.head);
            json.WriteString("reason", told.reason);
        }, id: _request.IsMany ? PositionText() : head);
        _finishing |= !_request.HasWildcards && _lines.TrueForAll(each => each.Ended);
    }

    private void WriteHeartbeat()
    {
        // A line that waits for storage, which does not say when it is back.
        foreach (var stuck in _lines.Where(each => each.IsStuck)) stuck.Advanced();
        if (_isOwedStuck) (_isOwedStuck, _owedLeft) = (false, true);
        if (_owedLeft) Signal(Signals.Continue);
        string? id = null;
        if (_request.IsMany)
        {
            if (_positionMoved) id = PositionText();
            (_positionMoved, _positionToldMs) = (false, _table.Now.Ms);
        }
        else if (_lines[0] is { Started: true } line && line.ToldSeq < line.Reader.Seq)
        {
            id = line.Position.ToString();
            line.ToldSeq = line.Reader.Seq;
        }
        ServerFrame.Write(_output, "heartbeat", this, static (json, self) =>
        {
            json.WriteString("time", self._table.Time.GetUtcNow().ToString(Problem.TimeFormat, null));
            json.WriteNumber("clients", self._table.Count);
            if (!self._request.IsMany && IsThere(self._lines[0]))
                json.WriteString("head", self._lines[0].Feed.History.At(self._lines[0].Feed.Head).ToString());
        }, id);
    }

    /// <summary>Once a round: nothing is counted per event.</summary>
    private void CountDelivered()
    {
        if (_events > _eventsCounted) _table.Meter.DeliveredEvents.Add(0, _events - _eventsCounted);
        if (_output.Taken > _bytesCounted) _table.Meter.DeliveredBytes.Add(0, _output.Taken - _bytesCounted);
        (_eventsCounted, _bytesCounted) = (_events, _output.Taken);
    }

    private void WriteShutdown() => WriteLast(ErrorCode.ServerShutdown, "The server is stopping; come back.");

    /// <summary>Whoever comes back has the stream opened anew.</summary>
    private void WriteLost(StreamLine line)
    {
        if (line.Ended) return;
        line.Ended = true;
        LetStoredGo(line);
        WriteLast(ErrorCode.StoreUnavailable, $"Another server has opened {line.Feed.Stream}; come back.");
    }

    private void WriteLast(ErrorCode code, string message)
    {
        _output.Write(_table.Problem(code, message, retryMs: ConnectionTable.Jittered(_table.Options.Retry)));
        _finishing = true;
    }

    private void Take(FeedLease lease)
    {
        var known = _lines.Find(each => each.Feed.Stream == lease.Feed.Stream);
        if (known?.Feed == lease.Feed)
        {
            // Named, or matched by another pattern, too.
            lease.Dispose();
            return;
        }
        if (known is not null) Leave(known);
        var line = LineOf(lease, ReadRequest.FromOfAppeared);
        lock (_lines) _lines.Add(line);
        _sweeper.Add(line);
        Await(line);
        _positionMoved = true;
    }

    /// <summary>Lets a deleted stream go for the one that was made in its place.</summary>
    private void Leave(StreamLine line)
    {
        if (!line.Ended) WriteEnd(line, "deleted");
        LetStoredGo(line);
        lock (_lines) _lines.Remove(line);
        _sweeper.Remove(line);
        line.Release();
    }

    /// <summary>The position over all streams of this connection.</summary>
    private string PositionText() => ManyCursor.Format(
        _lines.Where(line => line.Known is not null)
            .Select(line => KeyValuePair.Create(line.Feed.Stream, line.Known!.Value)),
        _caughtUpMs, _table.PositionBytes);

    [LoggerMessage(EventIds.Carried, LogLevel.Debug,
        "Connection {Connection}: stream {Stream}, {Count} events carried, seq {First} to {Last}, id {Id}")]
    private static partial void Carried(ILogger logger, string connection, string stream, int count, long first,
        long last, Cursor id);
}
