using System.Collections;
using System.Reflection;
using OrleansEvents.Streams;
using Xunit;

namespace OrleansEvents.Tests.Docs;

/// <summary>One owed event, number 1, through the states of <see cref="Subscription"/>, which are looked at from
/// outside.</summary>
internal sealed class OwedLife
{
    private const long Seq = 1;
    private static readonly FieldInfo s_owed = typeof(Subscription).GetField("_owed",
        BindingFlags.NonPublic | BindingFlags.Instance)!;
    private static readonly Type s_state = typeof(Subscription).GetNestedType("State", BindingFlags.NonPublic)!;
    private readonly SubscriberPolicy _policy;
    private readonly bool _isOrdinary;
    private Instant _now = new(1_000_000_000_000, 5_000);
    private int _slot;

    private OwedLife(bool isOrdinary, SubscriberPolicy policy)
    {
        (_isOrdinary, _policy) = (isOrdinary, policy with { OwesAll = isOrdinary });
        Subject = new Subscription("n", _policy, isExplicit: true, fromSeq: 0, head: 0, SubscriptionLimits.Default,
            _now);
    }

    /// <summary>The states that there are.</summary>
    public static IReadOnlyList<string> States => Enum.GetNames(s_state);

    public Subscription Subject { get; private set; }

    /// <summary>Null when it is no entry; done and let go of is done.</summary>
    public string? State
    {
        get
        {
            var entries = ((IEnumerable)s_owed.GetValue(Subject)!).Cast<object>();
            var entry = entries.FirstOrDefault(each => (long)each.GetType().GetField("Seq")!.GetValue(each)! == Seq);
            if (entry is not null) return entry.GetType().GetField("State")!.GetValue(entry)!.ToString();
            return Subject.Watermark >= Seq ? "Done" : null;
        }
    }

    /// <summary>An event that has come to a state; an empty name is before all.</summary>
    public static OwedLife At(string state, bool isOrdinary = false, SubscriberPolicy? policy = null)
    {
        var life = new OwedLife(isOrdinary, policy ?? SubscriberPolicy.Default);
        if (state.Length == 0) return life;
        life.Owe();
        switch (state)
        {
            case "Sending": life.Connect().Take(); break;
            case "InFlight": life.Deliver(); break;
            case "Retrying": life.Deliver().Nack(); break;
            case "Parking": life.Lapse(); break;
            case "Acknowledging": life.Deliver().Acknowledge(); break;
            case "Done": life.Lapse().Save(); break;
        }
        Assert.Equal(state, life.State);
        return life;
    }

    public OwedLife Owe() => Do(() => Subject.Owe(new ShownEvent(Seq, _now.UnixMs, !_isOrdinary, !_isOrdinary, null),
        _now));

    public OwedLife Connect() => Do(() =>
    {
        _slot = Subject.Attach();
        Subject.Begin(_slot, Seq);
    });

    public OwedLife Take() => Do(() => Assert.Equal(Seq, Assert.Single(Subject.Take(_slot, 10)).Seq));

    public OwedLife GiveBack() => Do(() => Subject.GiveBack(_slot, Seq));

    public OwedLife Sent() => Do(() => Subject.Delivered(_slot, [Seq], _now));

    public OwedLife Deliver() => Connect().Take().Sent();

    public OwedLife Nack() => Do(() => Subject.Nack([Seq], null, "nack", _now));

    public OwedLife Leave() => Do(() => Subject.Detach(_slot, keeps: false, _now));

    public OwedLife Acknowledge() => Do(() => Subject.BeginAcknowledge(Seq));

    public OwedLife Lapse() => Do(() => Subject.Lapse(Seq, _now));

    public OwedLife Missing() => Do(() => Subject.Missing(Seq, _now));

    public OwedLife Replay() => Do(() => Subject.BeginReplay(null)).Save();

    /// <summary>More is owed than may be.</summary>
    public OwedLife Overflow() => Do(() =>
    {
        for (var i = 1; i <= _policy.MaxPending; i++)
            Subject.Owe(new ShownEvent(Seq + i, _now.UnixMs, true, true, null), _now);
    });

    public OwedLife Wait(TimeSpan time) => Do(() =>
    {
        var ms = (long)time.TotalMilliseconds;
        _now = new Instant(_now.UnixMs + ms, _now.Ms + ms);
        Subject.Tick(_now);
    });

    public OwedLife Save(bool succeeds = true) => Do(() =>
    {
        var save = Subject.BeginSave();
        Subject.Saved(save, succeeds, save.Parking.Select(note => note.Seq).ToHashSet(), _now.UnixMs, _now);
    });

    /// <summary>Saved, and read by the next process, which finds the event in storage.</summary>
    public OwedLife Restart() => Do(() =>
    {
        var state = Subject.BeginSave().State;
        Subject = new Subscription(new SubscriberRecord("n", state, []), _policy, head: Seq,
            SubscriptionLimits.Default);
        Subject.OweOlder([new ShownEvent(Seq, _now.UnixMs, true, true, null)], _now);
    });

    private OwedLife Do(Action act)
    {
        act();
        return this;
    }
}
