using OrleansEvents.Streams;

namespace OrleansEvents.Tests.Streams;

/// <summary>What storage has of one subscriber, and of its stream's durable events.</summary>
internal sealed class SubscriptionStore
{
    public byte[]? State { get; private set; }

    public SortedDictionary<long, (long Ms, byte[] Note)> Parked { get; } = [];

    public SortedDictionary<long, ShownEvent> Events { get; } = [];

    /// <summary>Performs a save; returns the events whose bytes were found.</summary>
    public HashSet<long> Write(SubscriptionSave save, long nowMs, Func<long, bool> isFound)
    {
        State = save.State.ToArray();
        foreach (var (first, last) in save.Unpark)
            foreach (var seq in Parked.Keys.Where(seq => seq >= first && seq <= last).ToArray()) Parked.Remove(seq);
        var found = new HashSet<long>();
        foreach (var (seq, note) in save.Parking)
        {
            if (!isFound(seq)) continue;
            Parked[seq] = (nowMs, note.ToArray());
            found.Add(seq);
        }
        return found;
    }

    /// <summary>The subscriber as a new process has it.</summary>
    public Subscription Load(long head, SubscriptionLimits limits, Instant now)
    {
        var record = new SubscriberRecord("s", State, [.. Parked.Select(each => new ParkedMark(each.Key,
            each.Value.Ms))]);
        var loaded = new Subscription(record, SubscriberPolicy.Default, head, limits);
        loaded.OweOlder(Events.Values, now);
        return loaded;
    }
}
