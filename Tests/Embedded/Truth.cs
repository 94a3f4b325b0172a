using OrleansEvents.Streams;
using Xunit;

namespace OrleansEvents.Tests.Embedded;

/// <summary>What anybody has seen or was answered, over all crashes, and what must follow from it.</summary>
internal sealed class Truth
{
    private readonly Dictionary<(string Stream, long Seq), string> _events = [];
    private readonly Dictionary<string, (string Stream, long Seq)> _places = [];
    private readonly Dictionary<(string Stream, long Seq), int> _since = [];
    private readonly HashSet<(string Stream, long Seq)> _durable = [];
    private readonly HashSet<(string Stream, long Seq)> _critical = [];
    private readonly List<(string Stream, long From, long To, int Process)> _contiguous = [];

    public int Count => _events.Count;

    /// <summary>Which process is running. What one made void may count as published in the next: it died before
    /// storage was told, and a reader that had passed the number by then did not pass an event.</summary>
    public int Process { get; set; }

    /// <summary>An event was visible: it has this number for ever, and no other.</summary>
    public void Visible(string stream, long seq, string data)
    {
        if (!_events.TryAdd((stream, seq), data)) Assert.Equal(data, _events[(stream, seq)]);
        _since.TryAdd((stream, seq), Process);
        if (!_places.TryAdd(data, (stream, seq))) Assert.Equal((stream, seq), _places[data]);
    }

    /// <summary>A crash must not take it back.</summary>
    public void MustStay(string stream, long seq) => _durable.Add((stream, seq));

    public void Critical(string stream, long seq) => _critical.Add((stream, seq));

    /// <summary>A reader was told, or found, that there is no event between two numbers.</summary>
    public void NothingBetween(string stream, long from, long to)
    {
        if (to > from + 1) _contiguous.Add((stream, from, to, Process));
    }

    public IEnumerable<long> CriticalOf(string stream, long after) =>
        _critical.Where(each => each.Stream == stream && each.Seq > after).Select(each => each.Seq).Order();

    public long LastDurableOf(string stream) =>
        _durable.Where(each => each.Stream == stream).Select(each => each.Seq).DefaultIfEmpty().Max();

    /// <summary>No reader passed an event in silence.</summary>
    public void CheckLines()
    {
        foreach (var stream in _contiguous.GroupBy(each => each.Stream))
        {
            var seqs = _events.Keys.Where(each => each.Stream == stream.Key).Select(each => each.Seq).Order().ToList();
            foreach (var (_, from, to, process) in stream)
            {
                var index = seqs.BinarySearch(from + 1);
                for (index = index < 0 ? ~index : index; index < seqs.Count && seqs[index] < to; index++)
                    Assert.True(_since[(stream.Key, seqs[index])] > process,
                        $"{stream.Key}: a reader went from {from} to {to} in silence, but there was {seqs[index]}.");
            }
        }
    }

    /// <summary>All that had to stay is there, as it was, or was trimmed.</summary>
    public void CheckStored(string stream, IReadOnlyDictionary<long, string> stored, long trimmedThrough)
    {
        foreach (var (_, seq) in _durable.Where(each => each.Stream == stream))
        {
            if (seq <= trimmedThrough) continue;
            Assert.True(stored.TryGetValue(seq, out var data), $"{stream}: the durable event {seq} is lost.");
            Assert.Equal(_events[(stream, seq)], data);
        }
    }
}
