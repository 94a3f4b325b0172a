namespace OrleansEvents.Streams;

/// <summary>
/// What of a stream lies in storage, as much as trimming must know: an extent a stored run, neighbours merged when
/// there are more than 4,096, so that a stream of any length needs little memory. Retention keeps at least what it
/// promises: an extent goes only whole. It has one holder.
/// </summary>
internal struct StoredExtents
{
    internal const int Most = 4096;
    private static readonly List<Extent> s_none = [];

    // Most streams have nothing there.
    private List<Extent>? _list;
    private int _first;

    private readonly List<Extent> Extents => _list ?? s_none;

    public long Count { readonly get; private set; }

    public long Bytes { readonly get; private set; }

    /// <summary>When the oldest was appended, Unix milliseconds; the end of time when there is none.</summary>
    public readonly long OldestMs => _first < Extents.Count ? Extents[_first].AppendedMs : long.MaxValue;

    /// <summary>The last number of the oldest extent; the end of numbers when there is none.</summary>
    public readonly long OldestLast => _first < Extents.Count ? Extents[_first].Last : long.MaxValue;

    /// <summary>Whether there is something to look at since the last trim.</summary>
    public bool Changed { readonly get; private set; }

    /// <summary>What need not stay has changed: the next trim is to look.</summary>
    public void Recheck() => Changed = true;

    public void Add(Extent extent)
    {
        Changed = true;
        (_list ??= []).Add(extent);
        Count += extent.Count;
        Bytes += extent.Bytes;
        if (Extents.Count - _first > Most) Merge();
    }

    /// <summary>When an event was appended, as nearly as its extent tells; the beginning of time when it is not
    /// here.</summary>
    public readonly long AppendedMsOf(long seq)
    {
        int low = _first, high = Extents.Count;
        while (low < high)
        {
            var middle = (low + high) >>> 1;
            if (Extents[middle].Last < seq) low = middle + 1;
            else high = middle;
        }
        return low < Extents.Count ? Extents[low].AppendedMs : 0;
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
        while (_first < Extents.Count)
        {
            var oldest = Extents[_first];
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
        if (_first > Extents.Count / 2)
        {
            Extents.RemoveRange(0, _first);
            _first = 0;
        }
        return through;
    }

    private readonly long OverdueThrough(StreamRetention keep, long bornAfter)
    {
        var (count, bytes, through) = (Count, Bytes, 0L);
        for (var i = _first; i < Extents.Count; i++)
        {
            (count, bytes) = (count - Extents[i].Count, bytes - Extents[i].Bytes);
            if (!(count >= keep.Count || bytes >= keep.Bytes || Extents[i].AppendedMs < bornAfter)) break;
            through = Extents[i].Last;
        }
        return through;
    }

    private void Merge()
    {
        var merged = new List<Extent>(Most);
        for (var i = _first; i < Extents.Count; i += 2)
        {
            var (a, b) = (Extents[i], Extents[Math.Min(i + 1, Extents.Count - 1)]);
            merged.Add(i + 1 == Extents.Count
                ? a
                : new Extent(a.First, b.Last, a.Count + b.Count, a.Bytes + b.Bytes, b.AppendedMs));
        }
        Extents.Clear();
        Extents.AddRange(merged);
        _first = 0;
    }
}
