using OrleansEvents.Streams;
using Xunit;

namespace OrleansEvents.Tests.Streams;

internal sealed partial class SubscriptionModel
{
    private readonly List<Connection> _connections = [];

    public void Attach()
    {
        if (_connections.Count >= 4 || _policy.Webhook is not null && _connections.Count > 0) return;
        var isPush = _policy.Webhook is not null;
        var connection = new Connection(State.Attach(isPush), isPush, keeps: !isPush && _random.Next(3) == 0);
        State.Begin(connection.Slot, _head);
        connection.Through = _head;
        connection.LineSeq = _random.Next(2) == 0 || _ring.Count == 0 ? _head : _ring.First().Key - 1;
        _connections.Add(connection);
    }

    public void Detach()
    {
        if (_connections.Count > 0) Detach(Any());
    }

    public void Take()
    {
        if (_connections.Count == 0) return;
        var connection = Any();
        var limit = 1 + _random.Next(6);
        // Of one that is to come back nothing more is taken.
        if (connection.IsOver) return;
        var taken = State.Take(connection.Slot, limit);
        Assert.True(taken.Count <= limit);
        foreach (var (seq, attempt) in taken) Give(connection, seq, attempt);
        if (taken.Count == limit || IsAssigned) return;
        var isHeldUp = Active >= _policy.MaxInFlight;
        foreach (var each in _owed.Values)
        {
            // What others carry lies behind what is held up.
            if (isHeldUp && (each.Phase != Phase.Waiting || each.Attempts == 0)) continue;
            if (each.Seq > connection.LineSeq && each.Seq > connection.Through && each.Attempts < 2) continue;
            Assert.False(each.Phase is Phase.Waiting or Phase.Sending or Phase.InFlight
                && !each.Carriers.Contains(connection), $"{each.Seq} is kept from {connection.LineSeq}: {this}");
        }
    }

    public void GiveBack()
    {
        if (_connections.Count == 0 || Any() is not { Unsent.Count: > 0 } connection) return;
        var seq = connection.Unsent[^1];
        connection.Unsent.RemoveAt(connection.Unsent.Count - 1);
        connection.Carried.Remove(seq);
        State.GiveBack(connection.Slot, seq);
        if (IsAssigned || !_owed.TryGetValue(seq, out var each) || !each.Carriers.Remove(connection)) return;
        if (each.Phase == Phase.Sending && each.Carriers.Count == 0) PutBack(each);
    }

    /// <summary>The line of a connection comes to its next events, or jumps.</summary>
    public void Line()
    {
        if (_connections.Count == 0) return;
        var connection = Any();
        var next = _ring.Keys.Where(seq => seq > connection.LineSeq).Take(1 + _random.Next(4)).ToList();
        if (next.Count == 0) return;
        if (connection.LineSeq < _floor || _random.Next(20) == 0)
        {
            var to = Math.Max(_floor, _random.Next(2) == 0 ? next[0] : next[^1]);
            State.Jump(connection.Slot, connection.LineSeq, to);
            connection.LineSeq = to;
            connection.Through = Math.Max(connection.Through, to);
            return;
        }
        foreach (var seq in next)
        {
            var (_, critical, durable) = _ring[seq];
            var carry = State.OnLine(connection.Slot, seq, critical, durable);
            connection.LineSeq = seq;
            if (carry == LineCarry.Owed) Give(connection, seq, 1);
            else if (!critical && !_policy.OwesAll) Assert.Equal(LineCarry.Plain, carry);
            else if (durable) Assert.Equal(LineCarry.Skip, carry);
            else Assert.False(carry == LineCarry.Plain && _owed.ContainsKey(seq), "An event that is owed, as if not.");
        }
    }

    public void Deliver()
    {
        if (_connections.Count == 0 || Any() is not { Unsent.Count: > 0 } connection) return;
        var sent = connection.Unsent.Take(1 + _random.Next(connection.Unsent.Count)).ToList();
        connection.Unsent.RemoveRange(0, sent.Count);
        Deliver(connection, sent);
    }

    private void Deliver(Connection connection, List<long> sent)
    {
        State.Delivered(connection.Slot, sent, Now);
        foreach (var seq in sent)
        {
            if (!_owed.TryGetValue(seq, out var each) || !each.Carriers.Contains(connection)) continue;
            if (each.Phase == Phase.Sending) CountDelivery(each, () => each.Phase = Phase.InFlight);
            else if (each is { Phase: Phase.Acknowledging, Before: Phase.Sending })
                CountDelivery(each, () => each.Before = Phase.InFlight);
            if (each.Phase != Phase.InFlight) continue;
            each.DueMs = connection.IsPush ? long.MaxValue : _ms + (long)_policy.AckWait.TotalMilliseconds;
        }
    }

    private void CountDelivery(Owed each, Action move)
    {
        move();
        if (++each.Attempts > 1) _counts = _counts with { Retried = _counts.Retried + 1 };
    }

    private void Give(Connection connection, long seq, int attempt)
    {
        Given++;
        Assert.DoesNotContain(seq, _forGood);
        Assert.True(_owed.TryGetValue(seq, out var each), $"{seq} is given though it is not owed.");
        Assert.True(each.Phase is Phase.Waiting or Phase.Sending or Phase.InFlight, $"{seq} is given at {each.Phase}.");
        Assert.Equal(each.Attempts + (each.Phase == Phase.InFlight ? 0 : 1), attempt);
        if (each is { Phase: Phase.Waiting, Attempts: 0 })
            Assert.True(Active < _policy.MaxInFlight, $"{seq} begins though enough is under way.");
        if (connection.Carried.TryGetValue(seq, out var before))
            Assert.True(attempt > before, $"{seq} comes twice as attempt {attempt}: {this}");
        connection.Carried[seq] = attempt;
        connection.Unsent.Add(seq);
        if (IsAssigned) Assert.True(each.Carriers.SetEquals([connection]), $"{seq} is given to another: {this}");
        else Assert.DoesNotContain(connection, each.Carriers);
        if (each.Phase == Phase.Waiting) each.Move(Phase.Sending);
        each.Carriers.Add(connection);
    }

    /// <summary>Who was given what, where each event goes to one.</summary>
    private void FollowAssignments(bool isDispatched)
    {
        if (!IsAssigned || _connections.Count == 0) return;
        var share = Math.Max(1, _policy.MaxInFlight / _connections.Count);
        foreach (var each in _owed.Values.Where(each => each.Phase == Phase.Waiting))
        {
            if (_connections.Find(other => State.IsGiven(other.Slot, each.Seq)) is not { } connection) continue;
            Assert.True(each.Attempts > 0 || Active < _policy.MaxInFlight, $"{each.Seq} begins beyond the bound.");
            each.Move(Phase.Sending);
            each.Carriers.Add(connection);
            Assert.True(LoadOf(connection) <= share || connection.IsOver, "A connection has more than its share.");
        }
        var mayBegin = isDispatched && _connections.Exists(each => !each.IsOver && LoadOf(each) < share)
            && _connections.TrueForAll(each => !each.IsOver);
        if (!mayBegin || _owed.Values.Any(each => each.Phase == Phase.Acknowledging)) return;
        Assert.DoesNotContain(_owed.Values, each => each.Phase == Phase.Waiting
            && (each.Attempts > 0 || Active < _policy.MaxInFlight));
    }

    private int LoadOf(Connection connection) => _owed.Values.Count(each => each.Phase is Phase.Sending
        or Phase.InFlight && each.Carriers.Contains(connection));

    private Connection Any() => _connections[_random.Next(_connections.Count)];

    private void Detach(Connection connection)
    {
        State.Detach(connection.Slot, connection.Keeps, Now);
        _connections.Remove(connection);
        foreach (var each in _owed.Values.ToList())
        {
            if (!each.Carriers.Remove(connection) || each.Carriers.Count > 0) continue;
            if (each.Phase == Phase.Sending) PutBack(each);
            else if (each.Phase == Phase.InFlight && !connection.Keeps) Fail(each, "closed", null);
        }
    }

    private sealed class Connection(int slot, bool isPush, bool keeps)
    {
        public int Slot { get; } = slot;

        public bool IsPush { get; } = isPush;

        public bool Keeps { get; } = keeps;

        public bool IsOver { get; set; }

        public long LineSeq { get; set; }

        /// <summary>What is owed up to here goes beside its line.</summary>
        public long Through { get; set; }

        public Dictionary<long, int> Carried { get; } = [];

        public List<long> Unsent { get; } = [];
    }
}
