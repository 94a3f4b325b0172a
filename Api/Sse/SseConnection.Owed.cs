using System.Buffers;
using OrleansEvents.Api.Metrics;
using OrleansEvents.Streams;

namespace OrleansEvents.Api.Sse;

internal sealed partial class SseConnection
{
    private const int OwedAtOnce = 128;
    private const long PatienceMs = 1000;

    private readonly List<long> _carried = [];
    private readonly List<long> _goingOut = [];

    /// <summary>Given to the line, which could not send it yet.</summary>
    private readonly HashSet<long> _claimed = [];
    private LineCarry[] _carry = [];
    private EventSlot[] _slots = [];
    private volatile bool _owedLeft;
    private Task<OwedPage>? _taking;
    private long _takingSinceMs;
    private bool _tellsExpired;
    private long? _owedTurn;

    /// <summary>Whether it is in the queue for a turn; changed under the queue's lock.</summary>
    public bool WaitsForOwed { get; set; }

    /// <summary>Whether its turn has come; under the same lock.</summary>
    public bool IsCalledForOwed { get; set; }

    /// <summary>Its turn has come.</summary>
    public void PostOwed() => _sweeper.Post(this);

    private void BeginOwed()
    {
        if (_subscriber is null) return;
        // Not before: what is published until the line begins is carried by one of the two.
        _subscriber.Begin(_lines[0].Feed.Head);
        _owedLeft = true;
        _subscriber.Woken = () =>
        {
            _owedLeft = true;
            // Not on this thread: it may have a thousand others to wake.
            _sweeper.Post(this);
        };
        if (_subscriber.Expired is not { } gap) return;
        _tellsExpired = true;
        ServerFrame.Write(_output, "gap", (_lines[0].Feed.Stream, gap), static (json, told) =>
            GapJson.Write(json, told.Stream, told.gap));
    }

    /// <summary>Whether ordinary events wait for what is owed: not for long, though storage hangs.</summary>
    private bool OwedIsFirst => _owedLeft || _taking is not null && _table.Now.Ms - _takingSinceMs < PatienceMs;

    /// <summary>Whether somebody else goes on with what is owed: storage, or those whose turn it is.</summary>
    private bool AwaitsOwed => _taking is { IsCompleted: false } || WaitsForOwed;

    /// <summary>The next page of what goes beside the line. True: there may be more of it, and the line
    /// waits.</summary>
    private async ValueTask<bool> WriteOwed()
    {
        if (_taking is { IsCompleted: false } || _taking is null && (!_owedLeft || _output.IsBlocked)) return false;
        // Asking puts it in the queue for its turn.
        if (!_table.Owed.TryEnter(this)) return false;
        _owedTurn = _table.Time.GetTimestamp();
        if (_taking is null)
        {
            // Before taking: whoever wakes meanwhile is heard.
            _owedLeft = false;
            _takingSinceMs = _table.Now.Ms;
            _taking = _subscriber!.Take(OwedAtOnce, _table.Options.MaxSendBytes).AsTask();
            if (!_taking.IsCompleted) _ = Task.WhenAll(AwaitTaken(_taking), AwaitPatience(_taking));
        }
        if (!_taking.IsCompleted) return false;
        var taking = _taking;
        _taking = null;
        try
        {
            return Write(await taking);
        }
        catch (LogUnavailableException e)
        {
            // The line goes on; what is owed stays owed, and is tried with the next heartbeat.
            _table.Meter.ReadErrors.One("of", "storage");
            WriteReadError(new Refusal(ErrorCode.StoreUnavailable, e.Message));
            _isOwedStuck = true;
            return false;
        }
    }

    /// <summary>What passes its limit is told of and goes on: what was taken is given to nobody else
    /// meanwhile.</summary>
    private async Task AwaitTaken(Task taking)
    {
        var limit = _table.Operations.Options.SimpleTimeout;
        if (!await _table.Operations.EndsWithin(limit, taking, "read_owed", _lines[0].Feed.Stream))
        {
            var late = Operations.Late(limit);
            Tell(_table.Problem(late.Code, late.Detail));
            await taking.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        // Not on the storage's own thread.
        _sweeper.Post(this);
    }

    /// <summary>The line goes on when it has waited long enough.</summary>
    private async Task AwaitPatience(Task taking)
    {
        await taking.WaitAsync(TimeSpan.FromMilliseconds(PatienceMs), _table.Time)
            .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (!taking.IsCompleted) _sweeper.Post(this);
    }

    /// <summary>Given back before anything is waited for.</summary>
    private void LeaveOwedTurn()
    {
        if (_owedTurn is not { } began) return;
        _owedTurn = null;
        _table.Owed.Leave(began);
    }

    private bool Write(OwedPage page)
    {
        using var events = page.Events;
        for (var i = 0; i < events.Count; i++)
        {
            var slot = events.Slots[i];
            _shape.Write(_output, events.FrameOf(slot), slot, page.Attempts[i], beside: true);
            if (Spans.AreWanted) Spans.Deliver(_lines[0].Feed.Stream, events.FrameOf(slot), slot.Seq, Id);
            _carried.Add(slot.Seq);
            _events++;
            if (_table.Logger.IsEnabled(LogLevel.Debug))
                CarriedOwed(_table.Logger, Id, page.Attempts[i], _lines[0].Feed.Stream, slot.Seq,
                    _request.Subscriber!);
        }
        _owedLeft |= events.Count > 0;
        return events.Count > 0;
    }

    /// <summary>What was being taken is not wanted any more.</summary>
    private void LetOwedGo() => _ = _taking?.ContinueWith(static late => late.Result.Events.Dispose(),
        CancellationToken.None, TaskContinuationOptions.OnlyOnRanToCompletion, TaskScheduler.Default);

    private bool _isOwedStuck;

    /// <summary>After what was written has gone out.</summary>
    private void TellDelivered()
    {
        if (_tellsExpired) _subscriber!.ExpiredTold();
        _tellsExpired = false;
        if (_carried.Count == 0) return;
        _subscriber!.Delivered(_carried);
        _carried.Clear();
    }

    /// <summary>The line has jumped: what is owed between comes beside it after all.</summary>
    private void OweAgain(long after, long through)
    {
        _subscriber!.Jump(after, through);
        _owedLeft = true;
    }

    /// <summary>What the line does with each of some events.</summary>
    private ReadOnlySpan<LineCarry> CarryOf(ReadOnlySpan<EventSlot> slots)
    {
        if (_carry.Length < slots.Length) _carry = new LineCarry[Math.Max(slots.Length, 64)];
        var carry = _carry.AsSpan(0, slots.Length);
        _subscriber!.OnLine(slots, carry);
        if (_claimed.Count == 0) return carry;
        for (var i = 0; i < slots.Length; i++)
            if (_claimed.Remove(slots[i].Seq)) carry[i] = LineCarry.Owed;
        return carry;
    }

    private Task? _asking;
    private long _askedThrough;

    /// <summary>Whether the line waits to learn what it does with what comes next.</summary>
    private bool IsAsking => _asking is { IsCompleted: false };

    /// <summary>Asks for events of the line; how many of them are known of now.</summary>
    private int Ask(int count)
    {
        if (_asking is null)
        {
            var asking = _subscriber!.Ask(_slots.AsMemory(0, count));
            if (asking.IsCompletedSuccessfully) return count;
            _askedThrough = _slots[count - 1].Seq;
            _asking = asking.AsTask();
            _ = _asking.ContinueWith(static (_, self) => ((SseConnection)self!)._sweeper.Post((SseConnection)self!),
                this, TaskScheduler.Default);
        }
        if (!_asking.IsCompleted) return 0;
        _asking = null;
        // What has come since is asked for next: else a busy line would never go on.
        var known = 0;
        while (known < count && _slots[known].Seq <= _askedThrough) known++;
        return known;
    }

    /// <summary>What is read from storage is asked for with it.</summary>
    private async Task<Outcome<EventRun>> Asked(ValueTask<Outcome<EventRun>> reading)
    {
        var read = await reading;
        if (_subscriber is not null && read.Value is { Count: > 0 } run) await _subscriber.Ask(run.Slots.ToArray());
        return read;
    }

    /// <summary>A block of the line on behalf of the subscriber: as it is, unless something is left out.</summary>
    private void WriteOwing(StreamLine line, FeedBlock block)
    {
        if (_slots.Length < block.Count) _slots = new EventSlot[Math.Max(block.Count, 64)];
        for (var i = 0; i < block.Count; i++) _slots[i] = block[i];
        var count = Ask(block.Count);
        if (count == 0) return;
        var carry = CarryOf(_slots.AsSpan(0, count));
        if (!_shape.IsPlain || count < block.Count || carry.Contains(LineCarry.Skip))
        {
            for (var i = 0; i < count; i++) WriteEvent(line, block.Frame(block[i]), block[i], carry[i]);
            line.Reader.Pass(block, count);
            return;
        }
        // A block's frames may go out at once.
        TellGoingOut(block, carry);
        var taken = WriteWhole(line, block);
        for (var i = 0; i < block.Count; i++)
        {
            if (carry[i] != LineCarry.Owed) continue;
            if (i < taken) _carried.Add(block[i].Seq);
            else _claimed.Add(block[i].Seq);
        }
    }

    private void TellGoingOut(FeedBlock block, ReadOnlySpan<LineCarry> carry)
    {
        _goingOut.Clear();
        for (var i = 0; i < block.Count; i++)
            if (carry[i] == LineCarry.Owed) _goingOut.Add(block[i].Seq);
        if (_goingOut.Count > 0) _subscriber!.GoingOut(_goingOut);
    }

    [LoggerMessage(EventIds.CarriedOwed, LogLevel.Debug,
        "Connection {Connection}: {Attempt}, stream {Stream}, seq {Seq} owed to subscriber {Subscriber} carried")]
    private static partial void CarriedOwed(ILogger logger, string connection, int attempt, string stream, long seq,
        string subscriber);
}
