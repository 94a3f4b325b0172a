using System.Collections;

namespace OrleansEvents.Client;

/// <summary>Events' ids in order; those that follow each other are kept as one run.</summary>
internal sealed class EventIdList : IReadOnlyCollection<EventId>
{
    private readonly List<(EventId First, int Count)> _runs = [];

    public int Count { get; private set; }

    public void Add(EventId id)
    {
        Count++;
        if (_runs is [.., var last] && last.First.Text is null && last.First.Plus(last.Count).Equals(id))
            _runs[^1] = (last.First, last.Count + 1);
        else
            _runs.Add((id, 1));
    }

    /// <summary>The same, at most so many at a time.</summary>
    public IEnumerable<IReadOnlyCollection<EventId>> Parts(int most) => Count switch
    {
        0 => [],
        var count when count <= most => [this],
        _ => this.Chunk(most),
    };

    public IEnumerator<EventId> GetEnumerator()
    {
        foreach (var (first, count) in _runs)
        {
            for (var i = 0; i < count; i++)
                yield return first.Plus(i);
        }
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
