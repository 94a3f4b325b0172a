using FsCheck;
using FsCheck.Fluent;
using OrleansEvents.Streams;
using Xunit;

namespace OrleansEvents.Tests.Streams;

public sealed class SubscriptionTests
{
    [Fact]
    public void Up_to_acknowledges_only_what_was_delivered()
    {
        var subscription = Owing(1, 2, 3);
        subscription.Delivered(1);
        subscription.Delivered(3);
        Assert.Equal([1], subscription.BeginAcknowledgeUpTo(2));
        Assert.Equal([1, 3], subscription.BeginAcknowledgeUpTo(9));
    }

    [Fact]
    public void An_event_being_acknowledged_is_owed_until_that_is_saved()
    {
        var subscription = Owing(1, 2);
        Assert.Equal(AckResult.Acknowledged, subscription.BeginAcknowledge(1));
        Assert.Equal(OwedState.Owed, subscription.StateOf(1));
        subscription.Acknowledged([1], succeeded: false);
        Assert.Equal([1, 2], subscription.Pending(0).Select(owed => owed.Seq));
        subscription.BeginAcknowledge(1);
        subscription.Acknowledged([1], succeeded: true);
        Assert.Equal(OwedState.Acknowledged, subscription.StateOf(1));
        Assert.Equal(AckResult.Already, subscription.BeginAcknowledge(1));
        Assert.Equal((1, 1), (subscription.Watermark, subscription.DoneThrough(10)));
    }

    [Fact]
    public void Holes_survive_a_save_and_a_restart()
    {
        var subscription = Owing(1, 2, 3, 4, 5, 6);
        foreach (var seq in new long[] { 2, 3, 5 }) subscription.BeginAcknowledge(seq);
        var loaded = new Subscription(new SubscriberRecord("s", subscription.Save(), []));
        loaded.OweOlder([1, 2, 3, 4, 5, 6]);
        Assert.Equal([1, 4, 6], loaded.Pending(0).Select(owed => owed.Seq));
        Assert.Equal(3, loaded.PendingCount);
    }

    [Fact]
    public void Other_bytes_are_no_saved_state() =>
        Assert.Throws<FormatException>(() => new Subscription(new SubscriberRecord("s", "{}"u8.ToArray(), [])));

    [Fact]
    public void A_subscription_does_what_plain_sets_say()
    {
        var step = from kind in Gen.Frequency((6, Gen.Constant(0)), (5, Gen.Constant(1)), (5, Gen.Constant(2)), (2,
            Gen.Constant(3)),
                       (3, Gen.Constant(4)), (1, Gen.Constant(5)), (1, Gen.Constant(6)))
                   from a in Gen.Choose(0, 1000)
                   select (kind, a);
        Prop.ForAll(step.ArrayOf().ToArbitrary(), steps =>
        {
            var model = new Model();
            foreach (var (kind, a) in steps) model.Take(kind, a);
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(400).WithEndSize(200));
    }

    private static Subscription Owing(params long[] seqs)
    {
        var subscription = new Subscription("s", 0);
        foreach (var seq in seqs) subscription.Owe(seq);
        return subscription;
    }

    /// <summary>Sets of numbers: what is retained, delivered, being acknowledged, acknowledged, and what storage
    /// has.</summary>
    private sealed class Model
    {
        private readonly SortedSet<long> _retained = [];
        private readonly HashSet<long> _delivered = [];
        private readonly HashSet<long> _acknowledging = [];
        private readonly HashSet<long> _acknowledged = [];
        private HashSet<long> _stored = [];
        private ReadOnlyMemory<byte> _state;
        private Subscription _subscription = new("s", 0);
        private long _head;
        private long _lapsed;

        public Model() => _state = _subscription.Save();

        private IEnumerable<long> Owed => _retained.Where(seq => !_acknowledged.Contains(seq));

        public void Take(int kind, int a)
        {
            switch (kind)
            {
                case 0: Show(1 + a % 3); break;
                case 1: Deliver(a); break;
                case 2: Acknowledge(a); break;
                case 3: AcknowledgeUpTo(a); break;
                case 4: Save(a % 4); break;
                case 5: Lapse(a); break;
                default: Restart(); break;
            }
            Compare();
        }

        private void Show(int step)
        {
            _head += step;
            _retained.Add(_head);
            _subscription.Owe(_head);
        }

        private void Deliver(int a)
        {
            foreach (var owed in _subscription.Pending(0).Skip(a % 5).Take(3).ToList())
            {
                _subscription.Delivered(owed.Seq);
                _delivered.Add(owed.Seq);
            }
        }

        private void Acknowledge(int a)
        {
            var seq = _lapsed + 1 + a % Math.Max(1, _head + 2 - _lapsed);
            var expected = seq <= _subscription.Watermark || _acknowledged.Contains(seq) ? AckResult.Already
                : _retained.Contains(seq) ? AckResult.Acknowledged : AckResult.Unknown;
            Assert.Equal(expected, _subscription.BeginAcknowledge(seq));
            if (expected == AckResult.Acknowledged) _acknowledging.Add(seq);
        }

        private void AcknowledgeUpTo(int a)
        {
            var upTo = a % (_head + 2);
            var expected = Owed.Where(seq => seq <= upTo && (_delivered.Contains(seq) || _acknowledging.Contains(seq)))
                .ToList();
            Assert.Equal(expected, _subscription.BeginAcknowledgeUpTo(upTo));
            _acknowledging.UnionWith(expected);
        }

        private void Save(int outcome)
        {
            var (seqs, state) = (_subscription.Acknowledging, _subscription.Save());
            Assert.Equal(_acknowledging.Order(), seqs);
            var (happened, succeeded) = (outcome != 0, outcome > 1);
            if (happened) (_state, _stored) = (state, [.. _acknowledged, .. _acknowledging]);
            _subscription.Acknowledged(seqs, succeeded);
            if (succeeded) _acknowledged.UnionWith(_acknowledging);
            else _delivered.UnionWith(_acknowledging);
            _acknowledging.Clear();
        }

        private void Lapse(int a)
        {
            if (_retained.Count == 0) return;
            _lapsed = _retained.ElementAt(a % Math.Min(3, _retained.Count));
            var gone = _retained.Where(seq => seq <= _lapsed).ToList();
            Assert.Equal(gone.Count(seq => !_acknowledged.Contains(seq)), _subscription.Lapse(_lapsed));
            foreach (var seq in gone)
            {
                _retained.Remove(seq);
                _acknowledging.Remove(seq);
            }
        }

        private void Restart()
        {
            _subscription = new Subscription(new SubscriberRecord("s", _state, []));
            _subscription.OweOlder([.. _retained]);
            _acknowledged.RemoveWhere(seq => seq > _lapsed);
            _acknowledged.UnionWith(_stored);
            _acknowledging.Clear();
            _delivered.Clear();
        }

        private void Compare()
        {
            Assert.Equal(Owed, _subscription.Pending(0).Select(owed => owed.Seq));
            Assert.Equal(Owed.Count(), _subscription.PendingCount);
            Assert.Equal(Owed.Any() ? Owed.First() - 1 : _head, _subscription.DoneThrough(_head));
            foreach (var seq in _retained)
                Assert.Equal(_acknowledged.Contains(seq) ? OwedState.Acknowledged : OwedState.Owed,
                    _subscription.StateOf(seq));
            // Bounded by what is retained: the stored ranges too.
            Assert.True(_subscription.Save().Length < 120 + 44 * (_retained.Count + 1));
        }
    }
}
