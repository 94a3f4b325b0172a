using OrleansEvents.Streams;
using Xunit;

namespace OrleansEvents.Tests.Streams;

internal sealed partial class SubscriptionModel
{
    private readonly HashSet<long> _acknowledging = [];
    private readonly HashSet<long> _mayBeParked = [];
    private readonly HashSet<long> _replaying = [];
    private readonly Dictionary<long, long> _parked = [];
    private HashSet<long> _unpark = [];
    private HashSet<long> _toReplay = [];
    private HashSet<long> _answering = [];
    private SubscriberPolicy? _change;
    private Saving? _saving;
    private Stored _stored = new();
    private ExpiredRange? _expired;

    public void Acknowledge()
    {
        var seqs = Some();
        foreach (var seq in seqs)
        {
            var expected = ExpectedAck(seq);
            var result = State.BeginAcknowledge(seq);
            if (expected is { } one) Assert.Equal(one, result);
            else Assert.NotEqual(AckResult.Acknowledged, result);
        }
    }

    public void AcknowledgeUpTo()
    {
        if (IsAssigned || _owed.Count == 0) return;
        var through = _owed.Keys.ElementAt(_random.Next(_owed.Count));
        var expected = Upto(through).Where(each => each.Attempts > 0 && each.Phase != Phase.Parking).ToList();
        Assert.Equal(expected.Select(each => each.Seq), State.BeginAcknowledgeUpTo(through));
        foreach (var each in expected) Acknowledge(each);
    }

    public void Nack()
    {
        var seqs = Some();
        TimeSpan? delay = _random.Next(2) == 0 ? null : TimeSpan.FromMilliseconds(_random.Next(100));
        var expected = seqs.ConvertAll(seq => Nack(seq, delay));
        Assert.Equal(expected, State.Nack(seqs, delay, "nack", Now).Select((result, index) =>
            _owed.ContainsKey(seqs[index]) || result == NackResult.Parked ? result : NackResult.Already));
    }

    public void Replay()
    {
        var seqs = _random.Next(2) == 0 ? null : _parked.Keys.Where(_ => _random.Next(2) == 0).ToList();
        var expected = _parked.Keys.Where(seq => seqs?.Contains(seq) != false && !_replaying.Contains(seq)
            && !_toReplay.Contains(seq)).ToList();
        Assert.Equal(expected.Order(), State.BeginReplay(seqs).Order());
        _toReplay.UnionWith(expected);
    }

    public void Purge()
    {
        var dead = _parked.Keys.Where(seq => !_replaying.Contains(seq)).ToList();
        Assert.Equal(dead.Count, State.BeginPurge());
        _unpark.UnionWith(dead);
        _released.UnionWith(dead);
        _expired = null;
    }

    public void Change() => State.BeginChange(_change = RandomPolicy(_policy.OwesAll));

    public void BeginSave()
    {
        if (_saving is not null || !State.IsChanging && !State.IsUnsaved && _stored.Head > 0) return;
        var parking = _owed.Values.Where(each => each.Phase == Phase.Parking).ToList();
        var acks = _owed.Values.Where(each => each.Phase == Phase.Acknowledging && _acknowledging.Contains(each.Seq))
            .ToList();
        foreach (var each in acks)
            if (each.IsReplayed || _mayBeParked.Contains(each.Seq)) _unpark.Add(each.Seq);
        var save = State.BeginSave();
        Assert.Equal(_acknowledging.Order(), save.Acknowledging.Order());
        Assert.Equal(parking.Select(each => each.Seq), save.Parking.Select(note => note.Seq).Order());
        foreach (var (seq, note) in save.Parking)
        {
            var (attempts, history) = Subscription.ReadNote(note);
            Assert.Equal(_owed[seq].Attempts, attempts);
            Assert.Equal(_owed[seq].History, history);
        }
        Assert.Equal(_toReplay.Order(), save.Replaying.Order());
        // What a save that was told to have failed has parked may go too: it is owed, or parked by this one.
        Assert.Equal(_store.Parked.Keys.Where(_unpark.Contains), _store.Parked.Keys.Where(seq => save.Unpark.Any(
            range => seq >= range.First && seq <= range.Last) && (_unpark.Contains(seq) || _parked.ContainsKey(seq))));
        Assert.True(save.State.Length < 700 + _owed.Count * 200 + _parked.Count * 20, "The state is large.");
        _saving = new Saving(save, [.. _acknowledging], [.. parking.Select(each => each.Seq)], _unpark, _toReplay,
            _change, _answering, Snapshot(acks, parking));
        (_unpark, _toReplay, _answering, _change) = ([], [], [], null);
        _acknowledging.Clear();
    }

    public void Saved(bool happens, bool succeeds)
    {
        if (_saving is not { } saving) return;
        var lost = _random.Next(30) == 0 ? saving.Parking.FirstOrDefault() : 0;
        if (_owed.TryGetValue(lost, out var each)) Miss(each);
        var found = happens ? Store(saving, lost) : [];
        State.Saved(saving.Save, succeeds, found, Now.UnixMs, Now);
        _saving = null;
        if (succeeds) Succeeded(saving, found);
        else Failed(saving);
    }

    /// <summary>The process dies, and another begins with what is stored.</summary>
    public void Crash()
    {
        Crashes++;
        if (_saving is { } saving && _random.Next(2) == 0) Store(saving, lost: 0);
        (_saving, _change, _unpark, _toReplay, _answering) = (null, null, [], [], []);
        foreach (var set in new[] { _acknowledging, _mayBeParked, _replaying }) set.Clear();
        _connections.Clear();
        _parked.Clear();
        foreach (var (seq, parked) in _store.Parked) _parked.Add(seq, parked.Ms);
        _owed.Clear();
        (_policy, _counts, _expired) = (_stored.Policy!, _stored.Counts, _stored.Expired);
        // The copy goes with an acknowledgement, though it was told to have failed.
        foreach (var each in _stored.Owed.Where(each => !each.IsReplayed || _parked.ContainsKey(each.Seq)))
            _owed.Add(each.Seq, Load(each, each.IsReplayed));
        foreach (var each in _store.Events.Values.Where(each => each.Seq > _stored.Head))
            if (each.Critical || _policy.OwesAll)
                _owed.Add(each.Seq, new Owed(each.Seq, each.AppendedMs));
        _replaying.UnionWith(_owed.Values.Where(each => each.IsReplayed).Select(each => each.Seq));
        State = _store.Load(_head, Limits, Now);
        ParkOverflow();
        CheckPromises();
    }

    private Owed Load(Owed stored, bool isReplayed)
    {
        var loaded = new Owed(stored.Seq, stored.AppendedMs)
        {
            IsReplayed = isReplayed, Attempts = stored.Attempts, History = [.. stored.History],
        };
        if (loaded.Attempts < _policy.MaxAttempts) return loaded;
        loaded.Phase = Phase.InFlight;
        loaded.DueMs = _ms + (long)_policy.AckWait.TotalMilliseconds;
        return loaded;
    }

    private HashSet<long> Store(Saving saving, long lost)
    {
        _released.UnionWith(saving.Acknowledging);
        if (lost > 0) _released.Add(lost);
        _stored = saving.Stored;
        return _store.Write(saving.Save, Now.UnixMs, seq => seq != lost);
    }

    private Stored Snapshot(List<Owed> acks, List<Owed> parking)
    {
        var kept = _owed.Values.Where(each => !each.IsVolatile).Except(acks).Except(parking).Select(each =>
            new Owed(each.Seq, each.AppendedMs)
            {
                IsReplayed = each.IsReplayed, Attempts = each.Attempts, History = [.. each.History],
            });
        var replayed = _toReplay.Where(seq => !_unpark.Contains(seq) && _parked.ContainsKey(seq)
            && !_owed.ContainsKey(seq))
            .Select(seq => new Owed(seq, 0) { IsReplayed = true });
        return new Stored
        {
            Owed = [.. kept.Concat(replayed)], Policy = _change ?? _policy, Head = _head, Expired = _expired,
            Counts = _counts with
            {
                Succeeded = _counts.Succeeded + acks.Count, Abandoned = _counts.Abandoned + parking.Count,
            },
        };
    }

    private void Succeeded(Saving saving, HashSet<long> found)
    {
        if (saving.Change is { } policy)
        {
            var changes = policy.Mode != _policy.Mode || policy.Webhook != _policy.Webhook;
            _policy = policy;
            Assert.Equal(changes, State.TakeSharesChanged());
            foreach (var connection in _connections) connection.IsOver |= changes;
            ParkOverflow();
        }
        foreach (var seq in saving.Acknowledging)
            if (_owed.TryGetValue(seq, out var each) && each.Phase == Phase.Acknowledging && _owed.Remove(seq))
                _counts = _counts with { Succeeded = _counts.Succeeded + 1 };
        foreach (var seq in saving.Unpark)
        {
            _parked.Remove(seq);
            _replaying.Remove(seq);
            _mayBeParked.Remove(seq);
        }
        _forGood.UnionWith(saving.Answering);
        foreach (var seq in saving.Parking.Where(_owed.Remove))
        {
            _counts = _counts with { Abandoned = _counts.Abandoned + 1 };
            _mayBeParked.Remove(seq);
            _replaying.Remove(seq);
            if (!found.Contains(seq)) continue;
            _parked[seq] = Now.UnixMs;
            DeadLetters++;
        }
        foreach (var seq in saving.Replaying)
        {
            if (!_parked.ContainsKey(seq) || _unpark.Contains(seq) || !_replaying.Add(seq)) continue;
            _owed.Add(seq, new Owed(seq, 0) { IsReplayed = true });
            foreach (var connection in _connections) connection.Carried.Remove(seq);
        }
    }

    private sealed record Saving(SubscriptionSave Save, HashSet<long> Acknowledging, List<long> Parking,
        HashSet<long> Unpark, HashSet<long> Replaying, SubscriberPolicy? Change, HashSet<long> Answering,
        Stored Stored);

    private sealed record Stored
    {
        public List<Owed> Owed { get; init; } = [];

        public SubscriberPolicy? Policy { get; init; }

        public long Head { get; init; }

        public SubscriberCounts Counts { get; init; }

        public ExpiredRange? Expired { get; init; }
    }
}
