using System.Text.Json;

namespace OrleansEvents.Tests.Crash;

/// <summary>What one reader got over all its connections, in order: events, and gaps between them.</summary>
internal sealed class Line(string reader, StreamFacts facts)
{
    private readonly List<Entry> _entries = [];
    private long? _start;

    private readonly record struct Entry(Sighting? Event, long CoveredThrough, string Told);

    /// <summary>The gaps as they were told.</summary>
    public IEnumerable<string> Gaps => _entries.Where(each => each.Event is null).Select(each => each.Told);

    /// <summary>Where the first connection began.</summary>
    public void StartAt(string cursor) => _start ??= Sighting.CursorOf(cursor).Seq;

    public void Add(Sighting @event)
    {
        facts.See(@event);
        _entries.Add(new(@event, 0, ""));
    }

    public void AddGap(JsonElement gap)
    {
        if (facts.IsDurable) facts.Break($"{reader}: a durable stream has no gaps, but here is {gap}");
        _entries.Add(new(null, Sighting.CursorOf(gap.GetProperty("resumedAt").GetString()!).Seq, gap.ToString()));
    }

    /// <summary>Order kept, nothing twice, and no hole that a gap did not tell.</summary>
    /// <param name="expected">Which of the events that exist belong on this line; critical ones come to a subscriber
    /// beside it.</param>
    public void Check(Func<Sighting, bool> expected)
    {
        var seqs = facts.Seqs;
        var at = _start ?? throw new InvalidOperationException($"{reader} was never connected");
        var covered = 0L;
        foreach (var entry in _entries)
        {
            covered = Math.Max(covered, entry.CoveredThrough);
            if (entry.Event is not { } @event) continue;
            if (@event.Seq <= at) facts.Break($"{reader}: {@event} came behind {at}");
            foreach (var missed in Between(seqs, at, @event.Seq))
                if (missed > covered && expected(facts[missed]))
                    facts.Break($"{reader}: {facts[missed]} is missing between {at} and {@event.Seq}, without a gap");
            at = Math.Max(at, @event.Seq);
        }
    }

    private static IEnumerable<long> Between(long[] seqs, long after, long before)
    {
        var index = Array.BinarySearch(seqs, after + 1);
        for (var i = index < 0 ? ~index : index; i < seqs.Length && seqs[i] < before; i++) yield return seqs[i];
    }
}
