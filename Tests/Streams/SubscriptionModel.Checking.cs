using OrleansEvents.Streams;
using Xunit;

namespace OrleansEvents.Tests.Streams;

internal sealed partial class SubscriptionModel
{
    /// <summary>What is cheap to compare, after every step.</summary>
    public void Check(bool isDispatched)
    {
        FollowAssignments(isDispatched);
        var expected = (_owed.Count, Active, _owed.Values.Count(each => each.IsRetry));
        var counted = (State.PendingCount, State.ActiveCount, State.RetryCount);
        Assert.True(expected == counted, $"{counted}, with {string.Join(' ', State.Pending(0, Now).Select(each =>
            $"{each.Seq}:{each.Attempts}"))}, not {expected}: {this}");
        Assert.Equal(_parked.Count - _replaying.Count, State.DeadLetterCount);
        Assert.Equal(_replaying.Count, State.ReplayingCount);
        Assert.True(_counts == State.Counts, $"{State.Counts}, not {_counts}.");
        var due = State.NextDueMs(Now);
        Assert.True(due <= Math.Max(NextDueMs(), _ms + 1),
            $"It asks to be looked at at {due}, not {NextDueMs()}: {this}");
        // A crash must not find the stream without what is owed.
        var first = _owed.Values.FirstOrDefault(each => !each.IsReplayed);
        Assert.Equal(first is null ? _head : first.Seq - 1, State.DoneThrough(_head));
    }

    /// <summary>Everything, now and then.</summary>
    public void CheckAll()
    {
        var pending = State.Pending(0, Now).ToList();
        Assert.Equal(_owed.Keys, pending.Select(each => each.Seq));
        foreach (var (seq, attempts, next, history) in pending)
        {
            var each = _owed[seq];
            Assert.Equal(each.Attempts, attempts);
            Assert.Equal(each.History, history);
            long? expected = each.Phase == Phase.Retrying || each.Phase == Phase.InFlight && each.DueMs < long.MaxValue
                ? each.DueMs + Epoch : null;
            Assert.Equal(expected, next);
        }
        foreach (var seq in _parked.Keys) Assert.Equal(!_replaying.Contains(seq), State.IsDeadLetter(seq));
        Assert.Equal(_expired, State.Expired);
        CheckPromises();
    }

    /// <summary>All is well: a reader that acknowledges whatever it gets has in the end had all that was
    /// owed.</summary>
    public void Drain()
    {
        while (_connections.Count > 0) Detach(_connections[^1]);
        Settle();
        for (var round = 0; State.PendingCount > 0; round++)
        {
            Assert.True(round < 200, $"What is owed never comes: {this}");
            var connection = _connections[0];
            foreach (var (seq, attempt) in State.Take(connection.Slot, 5)) Give(connection, seq, attempt);
            Deliver(connection, connection.Unsent);
            foreach (var seq in connection.Unsent.Where(_owed.ContainsKey))
            {
                Assert.Equal(AckResult.Acknowledged, State.BeginAcknowledge(seq));
                Acknowledge(_owed[seq]);
            }
            connection.Unsent.Clear();
            Settle();
            if (State.PendingCount == 0) break;
            _ms = Math.Max(_ms, Math.Min(State.NextDueMs(Now), _ms + 10_000));
            Tick();
            Check(isDispatched: true);
        }
        Settle();
        Assert.Empty(_owed);
        CheckAll();
    }

    public override string ToString() => $"at {_ms} of {_policy.Mode} {_policy.MaxInFlight}, "
        + $"{_connections.Count} connections: " + string.Join("; ", _owed.Values.Select(each =>
        $"{each.Seq} {each.Phase}{(each.IsVolatile ? " volatile" : "")}{(each.IsReplayed ? " again" : "")} "
        + $"attempts {each.Attempts} due {each.DueMs} on {each.Carriers.Count}"));

    private void Settle()
    {
        Saved(happens: true, succeeds: true);
        for (var saves = 0; State.IsChanging || State.IsUnsaved; saves++)
        {
            Assert.True(saves < 5, "It is never saved.");
            BeginSave();
            Saved(happens: true, succeeds: true);
            foreach (var connection in _connections.Where(each => each.IsOver).ToList()) Detach(connection);
            Check(isDispatched: true);
        }
        if (_connections.Count == 0) Attach();
        Check(isDispatched: true);
    }

    private long NextDueMs()
    {
        var due = long.MaxValue;
        var oldest = _owed.Values.FirstOrDefault(each => !each.IsReplayed);
        if (oldest is { Phase: not (Phase.Acknowledging or Phase.Parking) })
            due = AtMs(oldest.AppendedMs, _policy.MaxAge) + 1;
        foreach (var each in _owed.Values)
        {
            if (each.Phase is Phase.InFlight or Phase.Retrying) due = Math.Min(due, each.DueMs);
            if (each is { IsVolatile: true, Phase: not Phase.Acknowledging })
                due = Math.Min(due, AtMs(each.AppendedMs, Limits.OrdinaryAge));
        }
        foreach (var (seq, parkedMs) in _parked)
            if (!IsLeaving(seq) && !_replaying.Contains(seq)) due = Math.Min(due, AtMs(parkedMs, Limits.ParkedAge));
        if (DeadLettersToStay() > Limits.Parked) due = Math.Min(due, _ms);
        return due;
    }

    private static long AtMs(long unixMs, TimeSpan age) => unixMs - Epoch + (long)age.TotalMilliseconds;

    private bool IsLeaving(long seq) => _unpark.Contains(seq) || _toReplay.Contains(seq)
        || _saving?.Unpark.Contains(seq) == true || _saving?.Replaying.Contains(seq) == true;

    private int DeadLettersToStay() => _parked.Keys.Count(seq => !_replaying.Contains(seq) && !IsLeaving(seq));

    private void Expire()
    {
        var over = DeadLettersToStay() - Limits.Parked;
        var before = Now.UnixMs - (long)Limits.ParkedAge.TotalMilliseconds;
        foreach (var (seq, parkedMs) in _parked.OrderBy(each => each.Key))
        {
            if (over <= 0 && parkedMs > before || _replaying.Contains(seq) || IsLeaving(seq)) continue;
            over--;
            _unpark.Add(seq);
            _released.Add(seq);
            _expired = _expired is { } range
                ? new(Math.Min(range.First, seq), Math.Max(range.Last, seq), range.Count + 1) : new(seq, seq, 1);
        }
    }

    private void Failed(Saving saving)
    {
        foreach (var seq in saving.Acknowledging)
        {
            if (!_owed.TryGetValue(seq, out var each) || each.Phase != Phase.Acknowledging) continue;
            saving.Unpark.Remove(seq);
            if (_acknowledging.Contains(seq)) continue;
            // Whose turn it was may have passed while it was acknowledged: then it goes to anybody.
            if (each.Before == Phase.Sending) each.Carriers.RemoveWhere(other => !State.IsGiven(other.Slot, seq));
            var isGiven = each.Carriers.Count > 0;
            if (each.Before == Phase.Parking) each.Move(Phase.Parking);
            else if (each.Before == Phase.Sending && isGiven) each.Phase = Phase.Sending;
            else if (each.Attempts == 0) PutBack(each);
            else
            {
                if (each.Before == Phase.InFlight) each.Phase = Phase.InFlight;
                else each.Move(Phase.Retrying);
                each.DueMs = _ms + (long)_policy.AckWait.TotalMilliseconds;
            }
        }
        foreach (var seq in saving.Parking)
        {
            if (!_owed.TryGetValue(seq, out var each)) continue;
            _mayBeParked.Add(seq);
            if (_unpark.Remove(seq)) Acknowledge(each);
        }
        _unpark.UnionWith(saving.Unpark);
    }

    private AckResult? ExpectedAck(long seq)
    {
        if (_owed.TryGetValue(seq, out var each))
        {
            Acknowledge(each);
            return AckResult.Acknowledged;
        }
        if (!_parked.ContainsKey(seq)) return seq > _head ? AckResult.Unknown : null;
        _unpark.Add(seq);
        _answering.Add(seq);
        _released.Add(seq);
        return AckResult.Acknowledged;
    }

    private void Acknowledge(Owed each)
    {
        // An ordinary event is owed in memory only.
        if (!each.IsVolatile) _answering.Add(each.Seq);
        _released.Add(each.Seq);
        if (each.Phase == Phase.Parking && _saving?.Parking.Contains(each.Seq) == true)
        {
            _unpark.Add(each.Seq);
            return;
        }
        if (each.Phase != Phase.Acknowledging) each.Before = each.Phase;
        each.Phase = Phase.Acknowledging;
        _acknowledging.Add(each.Seq);
    }

    private NackResult Nack(long seq, TimeSpan? delay)
    {
        if (!_owed.TryGetValue(seq, out var each)) return NackResult.Already;
        switch (each.Phase)
        {
            case Phase.Acknowledging: return NackResult.Already;
            case Phase.Parking: return NackResult.Parked;
            case Phase.Retrying:
                if (delay is { } later) each.DueMs = _ms + (long)later.TotalMilliseconds;
                return NackResult.Scheduled;
            case Phase.InFlight:
                Fail(each, "nack", delay);
                return each.Phase == Phase.Retrying ? NackResult.Scheduled : NackResult.Parked;
            default: return each.Attempts > 0 ? NackResult.Scheduled : NackResult.Unknown;
        }
    }

    /// <summary>A few events: owed, parked, done, or none at all.</summary>
    private List<long> Some()
    {
        var seqs = new List<long>();
        for (var i = _random.Next(3); i >= 0; i--)
        {
            var carried = _connections.Count > 0 ? Any().Carried.Keys.ToList() : [];
            seqs.Add(_random.Next(10) switch
            {
                < 5 when carried.Count > 0 => carried[^(1 + _random.Next(Math.Min(5, carried.Count)))],
                < 7 when _owed.Count > 0 => _owed.Keys.ElementAt(_random.Next(_owed.Count)),
                < 8 when _parked.Count > 0 => _parked.Keys.ElementAt(_random.Next(_parked.Count)),
                < 9 => 1 + _random.NextInt64(_head + 1),
                _ => _head + 5,
            });
        }
        return [.. seqs.Distinct()];
    }
}
