using System.Collections.Concurrent;

namespace OrleansEvents.Tests.Crash;

/// <summary>
/// All that publishers were told and readers have seen of one stream, over all its crashes. What contradicts itself is
/// noted at once; the rest is compared at the end.
/// </summary>
internal sealed class StreamFacts(string stream, bool isDurable, ConcurrentQueue<string> broken)
{
    private readonly ConcurrentDictionary<long, Sighting> _bySeq = new();
    private readonly ConcurrentDictionary<(ulong Epoch, string Key), Sighting> _byKey = new();
    private readonly ConcurrentDictionary<string, Sighting> _acknowledged = new();

    public string Stream { get; } = stream;

    public bool IsDurable { get; } = isDurable;

    /// <summary>Every event that anybody knows of, in order.</summary>
    public long[] Seqs => [.. _bySeq.Keys.Order()];

    public int Count => _bySeq.Count;

    public Sighting this[long seq] => _bySeq[seq];

    /// <summary>Events whose publisher was told that they are on storage.</summary>
    public IReadOnlyCollection<Sighting> Acknowledged => [.. _acknowledged.Values];

    public IReadOnlyCollection<Sighting> All => [.. _bySeq.Values];

    public void Break(string what) => broken.Enqueue($"{Stream}: {what}");

    public void See(Sighting sighting)
    {
        var known = _bySeq.GetOrAdd(sighting.Seq, sighting);
        if (known != sighting) Break($"the number {sighting.Seq} was given twice: {known} and {sighting}");
        // An ordinary event's key lives with the process; within one life it too doubles nothing.
        known = _byKey.GetOrAdd((sighting.Id.Epoch, sighting.Key), sighting);
        if (known != sighting) Break($"the key {sighting.Key} was appended twice: {known} and {sighting}");
    }

    /// <summary>A publisher was told; a durable event's second answer must be the first's.</summary>
    public void Acknowledge(Sighting sighting, bool durable)
    {
        See(sighting);
        if (!durable) return;
        var known = _acknowledged.GetOrAdd(sighting.Key, sighting);
        if (known != sighting) Break($"{sighting.Key} was acknowledged as {known} and then as {sighting}");
    }
}
