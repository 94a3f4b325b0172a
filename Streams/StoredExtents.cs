namespace OrleansEvents.Streams;

/// <summary>
/// What of a stream lies in storage, as much as trimming must know: an extent a stored run, neighbours merged when
/// there are more than 4,096, so that a stream of any length needs little memory. Retention keeps at least what it
/// promises: an extent goes only whole.
/// </summary>
internal sealed class StoredExtents
{
    internal const int Most = 4096;
    private readonly List<Extent> _extents = [];
    private int _first;

    public long Count { get; private set; }

    public long Bytes { get; private set; }

    /// <summary>When the oldest was appended, Unix milliseconds; the end of time when there is none.</summary>
    public long OldestMs => _first < _extents.Count ? _extents[_first].AppendedMs : long.MaxValue;

    /// <summary>The last number of the oldest extent; the end of numbers when there is none.</summary>
    public long OldestLast => _first < _extents.Count ? _extents[_first].Last : long.MaxValue;

    /// <summary>Whether there is something to look at since the last trim.</summary>
    public bool Changed { get; private set; }

    /// <summary>What need not stay has changed: the next trim is to look.</summary>
    public void Recheck() => Changed = true;

    public void Add(Extent extent)
    {
        Changed = true;
        _extents.Add(extent);
        Count += extent.Count;
        Bytes += extent.Bytes;
        if (_extents.Count - _first > Most) Merge();
    }

    /// <summary>When an event was appended, as nearly as its extent tells; the beginning of time when it is not
    /// here.</summary>
    public long AppendedMsOf(long seq)
    {
        int low = _first, high = _extents.Count;
        while (low < high)
        {
            var middle = (low + high) >>> 1;
            if (_extents[middle].Last < seq) low = middle + 1;
            else high = middle;
        }
        return low < _extents.Count ? _extents[low].AppendedMs : 0;
    }

    /// <summary>How far storage can be trimmed: the last number of the newest extent that need not stay; 0: not at
    /// all. What it covers is forgotten here.</summary>
    /// <param name="keep">What is kept of what nobody is owed.</param>
    /// <param name="acknowledgedThrough">Up to here nothing is kept.</param>
    /// <param name="heldAfter">Beyond it everything is kept, being owed.</param>
    /// <param name="overdue">How far it would be trimmed, were nothing owed; 0: not beyond what is returned.</param>
    /// <param name="now">The time.</param>
    public long Trim(StreamRetention keep, long acknowledgedThrough, long heldAfter, Instant now, out long overdue)
    {
        (Changed, overdue) = (false, 0);
        var through = 0L;
        var bornAfter = keep.Age is { } age ? now.UnixMs - (long)age.TotalMilliseconds : long.MinValue;
        while (_first < _extents.Count)
        {
            var oldest = _extents[_first];
            var needed = oldest.Last > acknowledgedThrough
                && (keep.Count is not { } count || Count - oldest.Count < count)
                && (keep.Bytes is not { } bytes || Bytes - oldest.Bytes < bytes)
                && oldest.AppendedMs >= bornAfter;
            if (needed) break;
            if (oldest.Last > heldAfter)
            {
                overdue = OverdueThrough(keep, bornAfter);
                break;
            }
            (Count, Bytes, through) = (Count - oldest.Count, Bytes - oldest.Bytes, oldest.Last);
            _first++;
        }
        if (_first > _extents.Count / 2)
        {
            _extents.RemoveRange(0, _first);
            _first = 0;
        }
        return through;
    }

    private long OverdueThrough(StreamRetention keep, long bornAfter)
    {
        var (count, bytes, through) = (Count, Bytes, 0L);
        for (var i = _first; i < _extents.Count; i++)
        {
            (count, bytes) = (count - _extents[i].Count, bytes - _extents[i].Bytes);
            if (!(count >= keep.Count || bytes >= keep.Bytes || _extents[i].AppendedMs < bornAfter)) break;
            through = _extents[i].Last;
        }
        return through;
    }

    private void Merge()
    {
        var merged = new List<Extent>(Most);
        for (var i = _first; i < _extents.Count; i += 2)
        {
            var (a, b) = (_extents[i], _extents[Math.Min(i + 1, _extents.Count - 1)]);
            merged.Add(i + 1 == _extents.Count
                ? a
                : new Extent(a.First, b.Last, a.Count + b.Count, a.Bytes + b.Bytes, b.AppendedMs));
        }
        _extents.Clear();
        _extents.AddRange(merged);
        _first = 0;
    }
}
