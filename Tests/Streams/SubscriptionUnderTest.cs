using OrleansEvents.Streams;

namespace OrleansEvents.Tests.Streams;

/// <summary>One subscriber whose time passes, whose stream goes on and whose storage answers when the test says
/// so.</summary>
internal sealed class SubscriptionUnderTest
{
    private readonly SubscriptionLimits _limits;
    private SubscriptionSave? _save;
    private long _ms;

    public SubscriptionUnderTest(SubscriberPolicy? policy = null, SubscriptionLimits? limits = null,
        bool isExplicit = true)
    {
        _limits = limits ?? SubscriptionLimits.Default;
        State = new Subscription("s", policy ?? SubscriberPolicy.Default, isExplicit, 0, 0, _limits, Now);
        Save();
    }

    public Subscription State { get; private set; }

    public SubscriptionStore Store { get; } = new();

    public long Head { get; private set; }

    public Instant Now => new(1_700_000_000_000 + _ms, _ms);

    public IEnumerable<long> Pending => State.Pending(0, Now).Select(each => each.Seq);

    public IEnumerable<string> HistoryOf(long seq) =>
        State.Pending(seq - 1, Now).First().History.Select(each => each.Reason);

    public int AttemptsOf(long seq) => State.Pending(seq - 1, Now).First().Attempts;

    public void Publish(int count = 1, bool critical = true, bool durable = true)
    {
        for (; count > 0; count--)
        {
            var shown = new ShownEvent(++Head, Now.UnixMs, critical, durable, null);
            if (durable) Store.Events.Add(Head, shown);
            State.Owe(shown, Now);
        }
    }

    /// <summary>Time passes; the subscriber is looked at whenever it has asked for it, and not else.</summary>
    public void Pass(double seconds)
    {
        var until = _ms + (long)(seconds * 1000);
        while (State.NextDueMs(Now) is var due && due <= until)
        {
            _ms = Math.Max(_ms, due);
            State.Tick(Now);
        }
        _ms = until;
    }

    /// <summary>A connection whose line begins at the head.</summary>
    public int Attach(bool isPush = false)
    {
        var slot = State.Attach(isPush);
        State.Begin(slot, Head);
        return slot;
    }

    public List<(long Seq, int Attempt)> Take(int slot, int limit = 100) =>
        [.. State.Take(slot, limit).Select(each => (each.Seq, each.Attempt))];

    /// <summary>Takes what there is and says that its bytes have gone out.</summary>
    public List<(long Seq, int Attempt)> Receive(int slot, int limit = 100)
    {
        var taken = Take(slot, limit);
        State.Delivered(slot, [.. taken.Select(each => each.Seq)], Now);
        return taken;
    }

    public LineCarry OnLine(int slot, long seq) => State.OnLine(slot, seq, isCritical: true, isDurable: true);

    public void Detach(int slot, bool keeps = false) => State.Detach(slot, keeps, Now);

    public NackResult Nack(long seq, TimeSpan? delay = null) => State.Nack([seq], delay, "nack", Now)[0];

    public AckResult Acknowledge(long seq)
    {
        var result = State.BeginAcknowledge(seq);
        Save();
        return result;
    }

    public SubscriptionSave BeginSave() => _save = State.BeginSave();

    /// <summary>What came of the save: whether it happened, and what its owner was told.</summary>
    public void Saved(bool happens = true, bool succeeds = true)
    {
        var found = happens ? Store.Write(_save!, Now.UnixMs, _ => true) : [];
        State.Saved(_save!, succeeds, found, Now.UnixMs, Now);
    }

    public void Save(bool happens = true, bool succeeds = true)
    {
        BeginSave();
        Saved(happens, succeeds);
    }

    /// <summary>The process dies, and another begins with what is stored.</summary>
    public void Restart() => State = Store.Load(Head, _limits, Now);

    public void Change(Func<SubscriberPolicy, SubscriberPolicy> change)
    {
        State.BeginChange(change(State.NextPolicy));
        Save();
    }

    /// <summary>An event used up its attempts, and is parked.</summary>
    public void Park(long seq)
    {
        var slot = Attach();
        while (State.IsDeadLetter(seq) is false)
        {
            foreach (var (taken, _) in Receive(slot).Where(each => each.Seq == seq)) Nack(taken, TimeSpan.Zero);
            State.Tick(Now);
            if (State.IsParking) Save();
        }
        Detach(slot);
    }
}
