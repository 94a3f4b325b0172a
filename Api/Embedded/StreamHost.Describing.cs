using OrleansEvents.Streams;

namespace OrleansEvents.Api.Embedded;

internal sealed partial class StreamHost
{
    public IReadOnlyList<SubscriberDescription> DescribeSubscribers()
    {
        lock (_turn)
        {
            return [.. _subscribers.Values.OrderBy(entry => entry.State.Name, StringComparer.Ordinal)
                .Select(Describe_UnderLock)];
        }
    }

    /// <summary>Null when there is no such subscriber.</summary>
    public SubscriberDescription? DescribeSubscriber(string subscriber)
    {
        lock (_turn) return _subscribers.TryGetValue(subscriber, out var entry) ? Describe_UnderLock(entry) : null;
    }

    /// <summary>What a subscriber is owed above a number; null when the stream is not open.</summary>
    public async Task<Outcome<SubscriberPage>?> Pending(string subscriber, long after, int limit, int maxBytes)
    {
        if (await Registered(subscriber) is not { } entry) return IsOpen ? NoSubscriber(subscriber) : null;
        List<PendingEvent> owed;
        lock (_turn)
        {
            if (_phase != Phase.Open) return null;
            owed = [.. entry.State.Pending(after, context.Now).Take(limit + 1)];
        }
        var run = await ReadOwed(entry, [.. owed.Take(limit).Select(each => each.Seq)], maxBytes);
        var details = Matching(owed, run);
        var last = run.Count > 0 ? run.Last : after;
        return new SubscriberPage(run, details, Feed.History.At(last), owed.Count > run.Count);
    }

    /// <summary>A subscriber's dead letters above a number; null when the stream is not open.</summary>
    public async Task<Outcome<SubscriberPage>?> DeadLetters(string subscriber, long after, int limit, int maxBytes)
    {
        if (await Registered(subscriber) is not { } entry) return IsOpen ? NoSubscriber(subscriber) : null;
        var (run, details) = (new EventRun(), new List<PendingEvent>());
        var (position, more) = (after, true);
        while (more && run.Count < limit && run.Frames.Length < maxBytes)
        {
            var page = await context.Log.ReadParked(_stream!.Handle.Id, subscriber, position, limit - run.Count,
                maxBytes);
            using var events = page.Events;
            if (!(more = events.Count > 0)) break;
            position = events.Last;
            lock (_turn) entry.State.TakeDeadLetters(page, run, details);
        }
        lock (_turn)
            return new SubscriberPage(run, details, Feed.History.At(position),
                more && entry.State.HasDeadLetterAfter(position), entry.State.Expired);
    }

    /// <summary>Puts dead letters back; null when the stream is not open.</summary>
    public async Task<Outcome<int>?> ReplayDeadLetters(string subscriber, IReadOnlyList<string>? ids)
    {
        if (await Registered(subscriber) is not { } entry) return IsOpen ? NoSubscriber(subscriber) : null;
        int? begun = null;
        var saved = await Save(entry, state => (begun = state.BeginReplay(ids is null ? null
            : [.. ids.Select(id => Cursor.TryParse(id, out var cursor) ? cursor.Seq : 0)]).Count) > 0);
        if (begun is not { } count) return null;
        return saved || count == 0 ? count : StoreCircuit.Untaken;
    }

    /// <summary>Removes dead letters; null when the stream is not open.</summary>
    public async Task<Outcome<int>?> PurgeDeadLetters(string subscriber)
    {
        if (await Registered(subscriber) is not { } entry) return IsOpen ? NoSubscriber(subscriber) : null;
        var count = 0;
        var saved = await Save(entry, state =>
        {
            count = state.BeginPurge();
            return true;
        });
        return saved ? count : StoreCircuit.Untaken;
    }

    /// <summary>Keeps events from a webhook; null when there is no such subscriber.</summary>
    public async Task<Outcome<bool>?> DisablePush(string subscriber, string reason)
    {
        if (await Registered(subscriber) is not { } entry) return null;
        var saved = await Save(entry, state =>
        {
            state.BeginDisable(reason);
            return true;
        });
        return saved ? true : StoreCircuit.Untaken;
    }

    private static List<PendingEvent> Matching(List<PendingEvent> owed, EventRun run)
    {
        var details = new List<PendingEvent>(run.Count);
        var next = 0;
        foreach (ref readonly var slot in run.Slots)
        {
            while (owed[next].Seq != slot.Seq) next++;
            details.Add(owed[next++]);
        }
        return details;
    }

    private SubscriberDescription Describe_UnderLock(SubscriberEntry entry)
    {
        var state = entry.State;
        return new(state.Name, state.Policy, state.IsExplicit, Feed.History.At(state.Watermark), state.PendingCount,
            state.ActiveCount - state.RetryCount, state.RetryCount, state.DeadLetterCount, state.Expired, state.Counts,
            entry.Sessions.Count, state.CreatedMs,
            entry.Sessions.Count > 0 ? context.Now.UnixMs : state.LastSeenMs, state.Disabled);
    }
}
