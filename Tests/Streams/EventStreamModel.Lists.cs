using OrleansEvents.Streams;
using Xunit;
using static OrleansEvents.Tests.Streams.StreamUnderTest;

namespace OrleansEvents.Tests.Streams;

internal sealed partial class EventStreamModel
{
    private bool _logAll;

    private bool VoidIsDue
    {
        get
        {
            var pending = false;
            foreach (var batch in _staged)
            {
                if (batch is { Durable: true, Committed: false })
                {
                    pending = true;
                    if (Now.Ms - batch.StagedMs >= 5000) return true;
                }
                else if (pending && !batch.Durable && Now.Ms - batch.StagedMs >= 1000)
                {
                    return true;
                }
            }
            return false;
        }
    }

    /// <summary>What must be true after every step.</summary>
    public void Compare()
    {
        Assert.Equal(_needsReopen, Stream.NeedsReopen);
        Assert.Equal(_staged.Count > 0, Stream.HasStaged);
        Assert.Equal(_lastGiven, Stream.LastGiven);
        var ring = _under.Ring();
        Assert.Equal(_ring.Select(one => (one.Seq, one.Data)), ring);
        Assert.DoesNotContain(ring, one => _void.Contains(one.Seq));
        Assert.Equal(_ring.Count, _under.Feed.Count);
        Assert.Equal(_floor, _under.Feed.Floor);
        foreach (var batch in _staged) Assert.False(batch.Pending!.Outcome.IsCompleted);
        CompareMissed();
        if (_needsReopen) Assert.True(Stream.ReadableThrough <= Stream.Confirmed);
    }

    /// <summary>What a reader that was overtaken is told to have missed is what was there.</summary>
    private void CompareMissed()
    {
        var first = _under.Feed.History.Epochs[^1].First;
        foreach (var from in new[] { first - 1, first + 1, (first + _floor) / 2, _floor - 1 })
        {
            if (from >= _floor || from < first - 1 || from < _under.Feed.History.CountableFrom) continue;
            var to = _under.Feed.History.StoredSince is { } since ? Math.Min(since, _floor) : _floor;
            var told = _under.Feed.Overtaken(new FeedReader(from), GapReason.Slow);
            Assert.Equal(Math.Max(from, to), told.Seq);
            Assert.Equal(_countable.Count(seq => seq > from && seq <= to), told.Gap?.Missed ?? 0);
        }
    }

    private (ErrorCode? Refusal, PendingBatch? Await, List<long> Ids, List<bool> Duplicates,
        Batch? Batch) Expect(NewEvent[] events)
    {
        var (ids, duplicates) = (new List<long>(), new List<bool>());
        ExpireKeys();
        var keyed = events.Count(one => one.Key is not null);
        if (keyed > 0 && _keys.Count + keyed > _limits.Keys) return (ErrorCode.RateLimited, null, ids, duplicates,
            null);
        var inRequest = new Dictionary<string, Shown>();
        var batch = new Batch(_logAll || events.Any(one => one.Critical == true), Now.Ms);
        var next = _lastGiven + 1;
        foreach (var one in events)
        {
            var data = System.Text.Encoding.UTF8.GetString(one.Data.Span);
            var known = one.Key is null ? null : _keys.GetValueOrDefault(one.Key);
            var twin = one.Key is null ? null : inRequest.GetValueOrDefault(one.Key);
            if (known?.Awaited is { } awaited) return (null, awaited, ids, duplicates, null);
            var first = twin is not null ? (twin.Data, twin.Critical) : known is not null ? (known.Data,
                known.Critical) : default;
            if (first.Data is not null && first != (data, one.Critical == true))
                return (ErrorCode.KeyConflict, null, ids, duplicates, null);
            if (twin is not null || known is not null)
            {
                ids.Add(known?.Seq ?? twin!.Seq);
                duplicates.Add(true);
                continue;
            }
            var shown = new Shown(next++, data, one.Critical == true, one.Key, Now.UnixMs);
            if (one.Key is not null) inRequest.Add(one.Key, shown);
            batch.Events.Add(shown);
            ids.Add(shown.Seq);
            duplicates.Add(false);
        }
        if (batch.Events.Count == 0) return (null, null, ids, duplicates, null);
        // What decides is the events that are new: duplicates are on storage or not as they were.
        batch = Rebuilt(batch);
        if (batch.Durable && _needsReopen) return (ErrorCode.StoreUnavailable, null, ids, duplicates, null);
        return (null, null, ids, duplicates, batch);
    }

    private Batch Rebuilt(Batch batch)
    {
        var rebuilt = new Batch(_logAll || batch.Events.Exists(one => one.Critical), batch.StagedMs);
        rebuilt.Events.AddRange(batch.Events);
        return rebuilt;
    }

    private void Remember(Batch batch)
    {
        foreach (var one in batch.Events)
            if (one.Key is { } key)
                _keys[key] = new KnownKey(one.Data, one.Critical, one.Seq, Now.Ms + 120_000, batch);
    }

    private void ExpireKeys()
    {
        foreach (var (key, known) in _keys.ToList())
            if (known.Awaited is null && known.ExpiresMs <= Now.Ms) _keys.Remove(key);
    }

    private void Show(Batch batch)
    {
        _ring.AddRange(batch.Events);
        _countable.AddRange(batch.Events.Select(one => one.Seq));
        Evict();
    }

    private void Release()
    {
        while (_staged.Count > 0 && (_staged[0].Committed || !_staged[0].Durable))
        {
            Assert.True(_staged[0].Pending!.Outcome.Result);
            _ring.AddRange(_staged[0].Events);
            _countable.AddRange(_staged[0].Events.Select(one => one.Seq));
            _staged.RemoveAt(0);
        }
        Evict();
    }

    private void MakeVoid()
    {
        _needsReopen = true;
        _workIsVoid = _work is not null;
        foreach (var batch in _staged.Where(each => each is { Durable: true, Committed: false }).ToList())
        {
            Assert.False(batch.Pending!.Outcome.Result);
            _staged.Remove(batch);
            foreach (var one in batch.Events)
            {
                _void.Add(one.Seq);
                if (one.Key is not null && _keys[one.Key].Batch == batch) _keys.Remove(one.Key);
            }
        }
        Release();
    }

    private void Evict()
    {
        while (_ring.Count > 0 && IsTooMuch()) EvictOldest();
    }

    private bool IsTooMuch() =>
        _ring.Count > _settings.Buffer
        || (_settings.MaxAge is { } age && _ring[0].AppendedMs < Now.UnixMs - (long)age.TotalMilliseconds);

    private void EvictOldest()
    {
        _floor = _ring[0].Seq;
        _ring.RemoveAt(0);
    }

    private void AfterOpening()
    {
        var opened = _under.Opened;
        _settings = opened.Settings is { } own ? StreamSettings.Parse(own) : _under.Defaults;
        _logAll = _settings.Durable;
        _lastGiven = opened.Epochs[^1].First - 1;
        _countable.Clear();
        // Keys of ordinary events live with the process.
        var kept = opened.Keys.ToDictionary(key => key.Key);
        foreach (var key in _keys.Keys.Where(key => !kept.ContainsKey(key)).ToList()) _keys.Remove(key);
        foreach (var (key, row) in kept)
            if (_keys.TryGetValue(key, out var known)) _keys[key] = known with { Batch = null };
            else if (row.ExpiresMs > Now.UnixMs) _keys[key] = Survivor(key, row);
    }

    private KnownKey Survivor(string key, LogKey row)
    {
        using var run = _under.Log.Read(_under.Opened.Handle.Id, row.Seq - 1, 1, 1 << 20).GetAwaiter().GetResult();
        Assert.Equal(row.Seq, run.First);
        var slot = run.Slots[0];
        return new(DataOf(run.FrameOf(slot), slot), slot.Critical, row.Seq, Now.Ms + row.ExpiresMs - Now.UnixMs, null);
    }

    /// <summary>After a crash the ring is the newest of what storage has, and all that was confirmed is
    /// there.</summary>
    private void ReadBack()
    {
        using var stored = _under.Log.Read(_under.Opened.Handle.Id, 0, int.MaxValue, int.MaxValue).GetAwaiter()
            .GetResult();
        _ring.Clear();
        var found = new Dictionary<long, string>();
        foreach (ref readonly var slot in stored.Slots)
        {
            var data = DataOf(stored.FrameOf(slot), slot);
            found.Add(slot.Seq, data);
            _void.Remove(slot.Seq);
            _ring.Add(new(slot.Seq, data, slot.Critical, null, slot.AppendedMs));
        }
        foreach (var (seq, data) in _mustStay) Assert.Equal(data, found.GetValueOrDefault(seq));
        foreach (var (seq, data) in found) _mustStay[seq] = data;
        if (_ring.Count > 0) _highest = Math.Max(_highest, _ring[^1].Seq);
        var dropped = Math.Max(0, _ring.Count - _settings.Buffer);
        _ring.RemoveRange(0, dropped);
        _floor = _ring.Count > 0 ? _ring[0].Seq - 1 : _lastGiven;
        Evict();
    }
}
