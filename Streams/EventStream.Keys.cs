namespace OrleansEvents.Streams;

public sealed partial class EventStream
{
    /// <summary>What is known of an event's key: its content's hash, and where the same event already is.</summary>
    private readonly record struct KeyMark(UInt128 Hash, KeyWindow.Entry? First, int Twin)
    {
        public bool IsDuplicate => First is not null || Twin >= 0;
    }

    /// <summary>Until when a key is remembered that is in memory only, monotonic: the host does not unload the stream
    /// before.</summary>
    public long OrdinaryKeysUntilMs { get; private set; }

    /// <summary>Marks duplicates; a refusal, or a batch to await, when that cannot be decided.</summary>
    private AppendResult? CheckKeys(ReadOnlySpan<NewEvent> events, Instant now)
    {
        const int KeptMarks = 1024;
        var marks = Marks;
        marks.Clear();
        if (marks.Capacity > KeptMarks) marks.Capacity = 0;
        var keyed = 0;
        foreach (ref readonly var @event in events)
            if (@event.Key is not null) keyed++;
        if (keyed == 0) return null;
        _keys.Expire(now);
        if (_keys.Count + keyed > _limits.Keys)
            return AppendResult.Refused(ErrorCode.RateLimited, $"The stream remembers {_limits.Keys} keys, its most.",
                TimeSpan.FromSeconds(1));
        var inRequest = keyed > 1 ? new Dictionary<string, int>(keyed) : null;
        for (var i = 0; i < events.Length; i++)
            if (Mark(events[i], i, inRequest, now) is { } undecided) return undecided;
        return null;
    }

    private AppendResult? Mark(in NewEvent @event, int index, Dictionary<string, int>? inRequest, Instant now)
    {
        if (@event.Key is not { } key)
        {
            Marks.Add(new(default, null, -1));
            return null;
        }
        var hash = KeyWindow.HashOf(@event);
        var first = _keys.Find(key, now);
        // Before any conflict: if that publish fails, its key means nothing.
        if (first?.Pending is { } pending) return new AppendResult { AwaitFirst = pending };
        var twin = -1;
        if (inRequest is not null && !inRequest.TryAdd(key, index)) twin = inRequest[key];
        var known = twin >= 0 ? Marks[twin].Hash : first?.Hash ?? hash;
        if (known != hash)
            return AppendResult.Refused(ErrorCode.KeyConflict, $"The key {key} was used with other content.");
        Marks.Add(new(hash, first, first is null ? twin : -1));
        return null;
    }

    private static Published AllDuplicates(int count)
    {
        var (first, last, durable) = (Marks[0].First!.Id, Marks[0].First!.Id, true);
        foreach (var mark in Marks)
        {
            var id = mark.First!.Id;
            if (id.Seq < first.Seq) first = id;
            if (id.Seq > last.Seq) last = id;
            durable &= mark.First.Durable;
        }
        return new(first, last, 0, count, durable);
    }

    private void RememberKeys(ReadOnlySpan<NewEvent> events, EventRun run, PendingBatch? pending, Instant now)
    {
        var marks = Marks;
        if (marks.Count == 0) return;
        var window = (long)Settings.DedupeWindow.TotalMilliseconds;
        var durable = pending is not null && _staged[^1].Durable;
        var index = 0;
        for (var i = 0; i < events.Length; i++)
        {
            if (marks[i].IsDuplicate) continue;
            var id = new Cursor(Handle.Epoch, run.Slots[index++].Seq);
            if (events[i].Key is not { } key) continue;
            var entry = new KeyWindow.Entry(marks[i].Hash, id, now.Ms + window, durable) { Pending = pending };
            _keys.Add(key, entry);
            if (!durable) OrdinaryKeysUntilMs = Math.Max(OrdinaryKeysUntilMs, entry.ExpiresMs);
            if (pending is null) continue;
            pending.Add(key, entry);
            if (durable) pending.Add(new LogKey(key, entry.Hash, id.Epoch, id.Seq, now.UnixMs + window));
        }
    }
}
