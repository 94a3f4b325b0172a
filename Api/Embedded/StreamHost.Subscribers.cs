using System.Runtime.InteropServices;
using OrleansEvents.Streams;

namespace OrleansEvents.Api.Embedded;

internal sealed partial class StreamHost
{
    private readonly Dictionary<string, SubscriberEntry> _subscribers = new(StringComparer.Ordinal);

    public IReadOnlyList<string> Subscribers
    {
        get
        {
            lock (_turn) return [.. _subscribers.Keys.Order(StringComparer.Ordinal)];
        }
    }

    /// <summary>Attaches a reader; null for a tombstone. The stream must be held by the caller.</summary>
    public async Task<Outcome<ISubscriberSession?>> Subscribe(string subscriber, SessionKind kind, int most)
    {
        SubscriberEntry? entry;
        lock (_turn)
        {
            if (_phase != Phase.Open) return Unregistered;
            if (!_subscribers.TryGetValue(subscriber, out entry))
            {
                if (kind == SessionKind.Push) return NoSubscriber(subscriber);
                if (IsRemoved_UnderLock(subscriber, context.Now)) return Outcome.Of<ISubscriberSession?>(null);
                if (Add_UnderLock(subscriber, context.SubscriberDefaults, isExplicit: false, most, out entry)
                    is { } refused) return refused;
            }
        }
        if (!await entry!.Ready) return Unregistered;
        var session = Attach(entry, kind, out var refusal);
        return refusal is { } why ? why : Outcome.Of<ISubscriberSession?>(session);
    }

    /// <summary>Registers a subscriber, or changes its policy; null when the stream is not open.</summary>
    public async Task<Outcome<ConfiguredSubscriber>?> ConfigureSubscriber(string subscriber, ReadOnlyMemory<byte> json,
        int most)
    {
        SubscriberEntry? entry;
        var created = false;
        lock (_turn)
        {
            if (_phase != Phase.Open) return null;
            if (!_subscribers.TryGetValue(subscriber, out entry))
            {
                if (!context.SubscriberDefaults.TryApply(json, out var policy, out var bad)) return bad;
                if (Add_UnderLock(subscriber, policy, isExplicit: true, most, out entry) is { } refused) return refused;
                created = true;
            }
        }
        if (!await entry!.Ready) return Unregistered;
        Refusal? invalid = null;
        var before = entry.State.Policy;
        if (!created && !await Save(entry, state =>
        {
            before = state.NextPolicy;
            if (state.NextPolicy.TryApply(json, out var changed, out var bad)) state.BeginChange(changed);
            else invalid = bad;
            if (changed is not null) Show_UnderLock(changed);
            return invalid is null;
        })) return invalid ?? StoreCircuit.Untaken;
        if (!created) await Refilter(entry, before);
        lock (_turn)
        {
            if (_phase != Phase.Open) return null;
            Want_UnderLock(entry.State);
            return new ConfiguredSubscriber(Describe_UnderLock(entry), created);
        }
    }

    private static Refusal Unregistered =>
        new(ErrorCode.StoreUnavailable, "The subscriber could not be registered.", TimeSpan.FromSeconds(1));

    private static Refusal NotPushed(string subscriber) =>
        new(ErrorCode.InvalidInput, $"{subscriber} has no webhook that takes events.");

    private static Refusal HasWebhook(string subscriber) =>
        new(ErrorCode.InvalidInput, $"{subscriber} has a webhook: it does not read.");

    public Refusal NoSubscriber(string subscriber) =>
        new(ErrorCode.NotFound, $"The stream {Name} has no subscriber {subscriber}.");

    private Refusal? Add_UnderLock(string subscriber, SubscriberPolicy policy, bool isExplicit, int most,
        out SubscriberEntry? entry)
    {
        entry = null;
        if (_subscribers.Count + _removed.Count >= most)
            return new Refusal(ErrorCode.RateLimited, $"The stream has {most} subscribers, its most.");
        // Storage may hold void events, which it would be owed, until it has taken a new epoch.
        if (_stream!.NeedsReopen) return Unregistered;
        var head = Feed.Head;
        var from = policy.OwedAfter(head, Feed.History.TrimmedThrough,
            Feed.History.Epochs.Select(each => each.Epoch));
        entry = new SubscriberEntry(new Subscription(subscriber, policy, isExplicit, from, head,
            context.SubscriptionLimits, context.Now));
        _removed.Remove(subscriber);
        _subscribers.Add(subscriber, entry);
        Want_UnderLock(entry.State);
        entry.Ready = Register(entry, _stream.Handle, head);
        return null;
    }

    /// <summary>What becomes visible from now on is told as far as somebody wants it.</summary>
    private void Want_UnderLock(Subscription state)
    {
        Show_UnderLock(state.Policy);
        _blocking.Remove(state);
        if (state.Policy.Overflow == OverflowRule.Block) _blocking.Add(state);
    }

    private async Task<bool> Register(SubscriberEntry entry, LogHandle handle, long head)
    {
        await Task.Yield();
        OwedMark[] owed = [];
        SubscriptionSave save;
        Task? leaving;
        lock (_turn) leaving = _leaving.GetValueOrDefault(entry.State.Name);
        if (leaving is not null) await leaving;
        lock (_turn) save = entry.State.BeginSave();
        var ok = await Attempt(async () =>
        {
            await context.Log.SaveSubscriber(handle, new(entry.State.Name, save.State) { Wakes = save.Wakes });
            owed = await context.Log.ReadOwed(handle.Id, 0, entry.State.Policy.OwesAll && IsDurable,
                entry.State.WantsTypes);
        });
        Turn((stream, now) =>
        {
            // What became visible since came by way of the turn; what was trimmed since cannot be read any more.
            var trimmed = Feed.History.TrimmedThrough;
            entry.State.Saved(save, ok, Nothing, 0, now);
            if (ok) entry.State.OweOlder(ShownOf(stream, owed.Where(mark => mark.Seq > trimmed && mark.Seq <= head)),
                now);
            else Forget_UnderLock(entry);
            entry.IsRegistered = ok;
            Touch_UnderLock(entry);
        });
        if (ok) Registered(context.Logger, Name, entry.State.Name, entry.State.PendingCount);
        return ok;
    }

    private static IEnumerable<ShownEvent> ShownOf(EventStream stream, IEnumerable<OwedMark> marks) =>
        marks.Select(mark => new ShownEvent(mark.Seq, stream.AppendedMsOf(mark.Seq), mark.Critical, Durable: true,
            mark.Type));

    private bool IsDurable => Feed.History.DurableSince is not null;

    private SubscriberSession? Attach(SubscriberEntry entry, SessionKind kind, out Refusal? refusal)
    {
        SubscriberSession? session = null;
        Refusal? why = Unregistered;
        Turn((_, _) =>
        {
            var state = entry.State;
            if (_subscribers.GetValueOrDefault(state.Name) != entry) return;
            why = kind == SessionKind.Push ? state.IsPushed ? null : NotPushed(state.Name)
                : state.Policy.Webhook is null ? null : HasWebhook(state.Name);
            if (why is not null) return;
            var slot = state.Attach(isPush: kind == SessionKind.Push, isPoll: kind == SessionKind.Poll);
            if (slot < 0)
            {
                why = new Refusal(ErrorCode.RateLimited,
                    $"{state.Name} has {Subscription.MostConnections} connections, its most.");
                return;
            }
            session = new SubscriberSession(this, entry, slot, kind);
            entry.Sessions.Add(session);
            // Its stream must not be unloaded while it is pushed to; a reader's feed sees to that itself.
            if (kind == SessionKind.Push) _holds++;
            Touch_UnderLock(entry);
        });
        refusal = why;
        return session;
    }

    /// <summary>A session has ended.</summary>
    public void Detach(SubscriberSession session)
    {
        var entry = session.Entry;
        Act(entry, (state, now) =>
        {
            entry.Sessions.Remove(session);
            if (session.Kind == SessionKind.Push) entry.IsPushAsked = false;
            state.Detach(session.Slot, keeps: session.Kind == SessionKind.Poll, now);
            state.LastSeenMs = now.UnixMs;
            if (entry.Sessions.Count == 0) entry.SaveAtMs = Math.Min(entry.SaveAtMs, now.Ms);
        });
        if (session.Kind == SessionKind.Push) LetGo();
    }

    /// <summary>Subscribers as storage has them, before the stream is open.</summary>
    private List<SubscriberEntry> Parse(OpenedStream opened)
    {
        var head = opened.Epochs[^1].First - 1;
        return [.. opened.Subscribers.Select(record => new SubscriberEntry(new Subscription(record,
            context.SubscriberDefaults, head, context.SubscriptionLimits)) { IsRegistered = true })];
    }

    private void LoadSubscribers_UnderLock(IReadOnlyList<SubscriberEntry> entries, OpenedStream opened,
        OwedMark[] owed, Instant now)
    {
        var shown = ShownOf(_stream!, owed.Where(mark => mark.Seq > opened.TrimmedThrough)).ToList();
        foreach (var entry in entries)
        {
            if (entry.State.RemovedMs is { } removed)
            {
                _removed.Add(entry.State.Name, removed);
                continue;
            }
            entry.State.OweOlder(shown, now);
            _subscribers.Add(entry.State.Name, entry);
            Want_UnderLock(entry.State);
            Touch_UnderLock(entry);
        }
    }

    private void Owe_UnderLock(EventStream stream, Instant now)
    {
        if (stream.Shown is not { Count: > 0 } shown) return;
        foreach (var entry in _subscribers.Values)
        {
            foreach (ref readonly var each in CollectionsMarshal.AsSpan(shown)) entry.State.Owe(each, now);
            Touch_UnderLock(entry);
        }
        shown.Clear();
    }

    /// <summary>How many critical events may come until one that blocks is owed its most.</summary>
    private int BacklogRoom_UnderLock(int backlog)
    {
        var room = int.MaxValue;
        foreach (var state in _blocking)
            room = Math.Min(room, Math.Min(state.Policy.MaxPending, backlog) - state.PendingCount);
        return room;
    }

    /// <summary>Null when there are no subscribers.</summary>
    private long? OwedToNobodyThrough_UnderLock() => _subscribers.Count == 0 ? null
        : _subscribers.Values.Min(entry => entry.IsRegistered ? entry.State.DoneThrough(Feed.Head) : 0);

    private void Lapse_UnderLock(long through, Instant now)
    {
        foreach (var entry in _subscribers.Values)
        {
            entry.State.Lapse(through, now);
            Touch_UnderLock(entry);
        }
    }

    private static readonly HashSet<long> Nothing = [];
    private readonly List<Subscription> _blocking = [];

    [LoggerMessage(EventIds.SubscriberRegistered, LogLevel.Information,
        "Stream {Stream}: subscriber {Subscriber} registered, owed {Pending} events")]
    private static partial void Registered(ILogger logger, string stream, string subscriber, int pending);
}
