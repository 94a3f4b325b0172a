using OrleansEvents.Streams;
using Xunit;

namespace OrleansEvents.Tests.Streams;

/// <summary>
/// One subscriber beside a model of it that is made of plain collections: what is done to the one is done to the
/// other, and what the one decides (whom it gives what) the other checks. What has been acknowledged for good, what is
/// stored and what was published is remembered over crashes.
/// </summary>
internal sealed partial class SubscriptionModel
{
    private const long Epoch = 1_700_000_000_000;

    private readonly Random _random;
    private readonly SubscriptionStore _store = new();
    private readonly SortedList<long, Owed> _owed = [];
    private readonly SortedList<long, (long At, bool Critical, bool Durable)> _ring = [];

    /// <summary>Published and owed, until it is acknowledged for good or released.</summary>
    private readonly HashSet<long> _promised = [];

    /// <summary>Acknowledged, and answered as stored.</summary>
    private readonly HashSet<long> _forGood = [];

    /// <summary>Acknowledged without an answer, purged, expired, or lost by storage: it need not come again.</summary>
    private readonly HashSet<long> _released = [];
    private long _ms = 1000;
    private long _head;
    private long _floor;
    private SubscriberPolicy _policy;
    private SubscriberCounts _counts;

    public SubscriptionModel(int seed)
    {
        _random = new Random(seed);
        _policy = RandomPolicy(_random.Next(4) == 0);
        IsDurable = _random.Next(3) == 0;
        State = new Subscription("s", _policy, isExplicit: true, 0, 0, Limits, Now);
        BeginSave();
        Saved(happens: true, succeeds: true);
    }

    /// <summary>What is owed, parked, or need not come: nothing else may have become of an event.</summary>
    private void CheckPromises()
    {
        _promised.RemoveWhere(seq => _forGood.Contains(seq) || _released.Contains(seq));
        Assert.DoesNotContain(_promised, seq => !_owed.ContainsKey(seq) && !_parked.ContainsKey(seq));
        Assert.DoesNotContain(_owed.Keys, _forGood.Contains);
        Assert.DoesNotContain(_parked.Keys, _forGood.Contains);
    }

    public static SubscriptionLimits Limits { get; } = new(6, TimeSpan.FromMilliseconds(9000),
        TimeSpan.FromMilliseconds(400));

    public bool IsDurable { get; }

    public Subscription State { get; private set; }

    public int Crashes { get; private set; }

    public int Given { get; private set; }

    public int Acknowledged => _forGood.Count;

    public int DeadLetters { get; private set; }

    private Instant Now => new(Epoch + _ms, _ms);

    private bool IsAssigned => _policy.Mode == SubscriberMode.Compete || _policy.Webhook is not null;

    private int Active => _owed.Values.Count(each => each.IsActive);

    public void Publish()
    {
        var critical = _random.Next(10) < 6;
        _head += 1 + _random.Next(3);
        var shown = new ShownEvent(_head, Now.UnixMs, critical, critical || IsDurable, null);
        _ring.Add(_head, (Now.UnixMs, critical, shown.Durable));
        if (_ring.Count > 25) _ring.Remove(_floor = _ring.First().Key);
        if (shown.Durable) _store.Events.Add(_head, shown);
        State.Owe(shown, Now);
        if (!critical && !_policy.OwesAll) return;
        _owed.Add(_head, new Owed(_head, Now.UnixMs) { IsVolatile = !shown.Durable });
        if (shown.Durable) _promised.Add(_head);
        ParkOverflow();
    }

    /// <summary>Time passes, no further than the subscriber has asked to be looked at, or a little too far.</summary>
    public void Pass()
    {
        var due = State.NextDueMs(Now);
        var step = _random.Next(10) == 0 ? _random.Next(1500) : _random.Next(40);
        if (due > _ms + step && _random.Next(4) > 0)
        {
            _ms += step;
            return;
        }
        _ms = _random.Next(8) == 0 ? _ms + step : Math.Max(_ms, Math.Min(due, _ms + 3000));
        if (_ms >= due) Tick();
    }

    public void Lapse()
    {
        if (_owed.Count == 0) return;
        var through = _owed.Keys.ElementAt(_random.Next(_owed.Count));
        State.Lapse(through, Now);
        foreach (var each in Upto(through).Where(each => !each.IsReplayed)) GiveUp(each, "retention");
    }

    /// <summary>Storage lets go of what the subscriber is done with.</summary>
    public void Trim()
    {
        var through = State.DoneThrough(_head);
        foreach (var seq in _store.Events.Keys.TakeWhile(seq => seq <= through).ToList()) _store.Events.Remove(seq);
    }

    /// <summary>Bytes of an ordinary event, or of a dead letter that is owed again, are nowhere any more.</summary>
    public void Miss()
    {
        var lost = _owed.Values.FirstOrDefault(each => each.IsVolatile || each.IsReplayed);
        if (lost is not null) Miss(lost);
    }

    private void Miss(Owed lost)
    {
        State.Missing(lost.Seq, Now);
        if (lost.IsReplayed) _unpark.Add(lost.Seq);
        if (!lost.IsVolatile) _released.Add(lost.Seq);
        Abandon(lost);
        FollowAssignments(isDispatched: true);
    }

    private void Tick()
    {
        State.Tick(Now);
        foreach (var each in _owed.Values.ToList())
        {
            if (each.Phase is Phase.Acknowledging or Phase.Parking) continue;
            if (each.IsVolatile && Now.UnixMs - each.AppendedMs >= Limits.OrdinaryAge.TotalMilliseconds) Abandon(each);
            else if (each.DueMs > _ms) continue;
            else if (each.Phase == Phase.InFlight) Fail(each, "timeout", null);
            else if (each.Phase == Phase.Retrying) PutBack(each);
        }
        foreach (var each in _owed.Values.ToList())
        {
            if (each.IsReplayed) continue;
            if (each.AppendedMs > Now.UnixMs - (long)_policy.MaxAge.TotalMilliseconds) break;
            GiveUp(each, "age");
        }
        Expire();
        Assert.True(State.NextDueMs(Now) > _ms, "It asks to be looked at again and again.");
    }

    private void Fail(Owed each, string reason, TimeSpan? delay)
    {
        if (each.Attempts >= _policy.MaxAttempts)
        {
            GiveUp(each, reason);
            return;
        }
        each.History.Add(new PastFailure(Now.UnixMs, reason));
        each.DueMs = _ms + (long)(delay ?? _policy.Backoff[Math.Min(each.Attempts, _policy.Backoff.Count) - 1])
            .TotalMilliseconds;
        each.Move(Phase.Retrying);
        _counts = _counts with { Queued = _counts.Queued + 1 };
    }

    private void GiveUp(Owed each, string reason)
    {
        if (each.Phase is Phase.Acknowledging or Phase.Parking) return;
        if (each.IsVolatile)
        {
            Abandon(each);
            return;
        }
        each.History.Add(new PastFailure(Now.UnixMs, reason));
        each.Move(Phase.Parking);
    }

    private void Abandon(Owed each)
    {
        _owed.Remove(each.Seq);
        _counts = _counts with { Abandoned = _counts.Abandoned + 1 };
    }

    private static void PutBack(Owed each) => each.Move(Phase.Waiting);

    private void ParkOverflow()
    {
        if (_policy.Overflow == OverflowRule.Block) return;
        var over = _owed.Values.Count(each => each.Phase != Phase.Parking) - _policy.MaxPending;
        foreach (var each in _owed.Values.ToList())
        {
            if (over <= 0) break;
            if (each.Phase is Phase.Parking or Phase.Acknowledging) continue;
            GiveUp(each, "overflow");
            over--;
        }
    }

    private List<Owed> Upto(long seq) => [.. _owed.Values.TakeWhile(each => each.Seq <= seq)];

    private SubscriberPolicy RandomPolicy(bool owesAll) => new()
    {
        AckWait = TimeSpan.FromMilliseconds(20 + _random.Next(200)),
        MaxAttempts = 1 + _random.Next(4),
        Backoff = [.. Enumerable.Range(0, 1 + _random.Next(3)).Select(_ => TimeSpan.FromMilliseconds(1
            + _random.Next(80)))],
        MaxInFlight = 1 + _random.Next(_random.Next(2) == 0 ? 3 : 20),
        Mode = (SubscriberMode)_random.Next(2),
        OwesAll = owesAll,
        Overflow = _random.Next(4) == 0 ? OverflowRule.Block : OverflowRule.Lapse,
        MaxPending = 3 + _random.Next(30),
        MaxAge = TimeSpan.FromMilliseconds(1000 + _random.Next(6000)),
        Webhook = _random.Next(6) > 0 ? null : new WebhookPolicy
        {
            Url = "http://x/", Secret = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
        },
    };

    private enum Phase
    {
        Waiting,
        Sending,
        InFlight,
        Retrying,
        Acknowledging,
        Parking,
    }

    private sealed class Owed(long seq, long appendedMs)
    {
        public long Seq { get; } = seq;

        public long AppendedMs { get; } = appendedMs;

        public bool IsVolatile { get; init; }

        public bool IsReplayed { get; init; }

        public Phase Phase { get; set; }

        public Phase Before { get; set; }

        public int Attempts { get; set; }

        public long DueMs { get; set; }

        public List<PastFailure> History { get; init; } = [];

        public HashSet<Connection> Carriers { get; } = [];

        public bool IsActive => Phase is Phase.Sending or Phase.InFlight || IsRetry;

        public bool IsRetry => Phase == Phase.Retrying || Phase == Phase.Waiting && Attempts > 0;

        public void Move(Phase to)
        {
            Phase = to;
            Carriers.Clear();
        }
    }
}
