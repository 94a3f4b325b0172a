using OrleansEvents.Streams;

namespace OrleansEvents.Storage;

/// <summary>Collects a stream's stored runs, oldest first, merging neighbours so that no more are returned than the
/// port allows and no more than twice as many are ever held.</summary>
internal sealed class ExtentList
{
    public const int Limit = 4096;

    private readonly List<Extent> _extents = [];

    public void Add(in Extent extent)
    {
        if (_extents.Count == Limit * 2) Halve();
        _extents.Add(extent);
    }

    public IReadOnlyList<Extent> Finish()
    {
        if (_extents.Count > Limit) Halve();
        return _extents;
    }

    private void Halve()
    {
        var to = 0;
        for (var from = 0; from < _extents.Count; from += 2)
            _extents[to++] = from + 1 < _extents.Count ? Merge(_extents[from], _extents[from + 1]) : _extents[from];
        _extents.RemoveRange(to, _extents.Count - to);
    }

    private static Extent Merge(in Extent older, in Extent newer) => new(older.First, newer.Last,
        older.Count + newer.Count, older.Bytes + newer.Bytes, Math.Max(older.AppendedMs, newer.AppendedMs));
}
