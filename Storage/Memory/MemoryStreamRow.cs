using System.Runtime.InteropServices;
using OrleansEvents.Streams;

namespace OrleansEvents.Storage.Memory;

/// <summary>One stream of the log in memory. Used under the log's lock only.</summary>
internal sealed class MemoryStreamRow(long id, string name, long createdMs, ulong epoch, long first)
{
    private readonly List<Row> _rows = [];
    private readonly Dictionary<string, LogKey> _keys = new(StringComparer.Ordinal);
    private EpochRecord[] _epochs = EpochHistory.Begin(epoch, first);
    private (long End, long Floor, Row Ring)? _closed;
    private long _trimmed;

    public long Id { get; } = id;
    public string Name { get; } = name;
    public long CreatedMs { get; } = createdMs;
    public ulong Epoch => _epochs[^1].Epoch;
    public bool IsClosed => _closed is not null;
    public long Reserved { get; set; } = first - 1 + IEventLog.NumberBlock;
    public string? Settings { get; set; }
    public long? DurableSince { get; set; }
    public bool Completed { get; set; }
    public long? DeletedMs { get; private set; }
    public SortedDictionary<string, MemorySubscriber> Subscribers { get; } = new(StringComparer.Ordinal);

    public OpenedStream Open(ulong epoch, long nowMs)
    {
        _epochs = EpochHistory.Next(_epochs, epoch, _closed?.End, Reserved);
        Reserved = EpochHistory.ReservedBy(_epochs);
        foreach (var key in _keys.Values.Where(key => key.ExpiresMs < nowMs).ToArray()) _keys.Remove(key.Key);
        GracefulClose? closed = null;
        if (_closed is { } kept) closed = new GracefulClose(kept.End, kept.Floor, kept.Ring.ToRun());
        _closed = null;
        return Opened(created: false, closed);
    }

    public OpenedStream Opened(bool created, GracefulClose? closed)
    {
        var extents = new ExtentList();
        foreach (var row in _rows) extents.Add(row.Extent);
        return new OpenedStream
        {
            Handle = new LogHandle(Id, Epoch),
            Created = created,
            CreatedMs = CreatedMs,
            Settings = Settings,
            Epochs = _epochs,
            ReservedThrough = Reserved,
            Completed = Completed,
            DurableSince = DurableSince,
            TrimmedThrough = _trimmed,
            Closed = closed,
            Extents = extents.Finish(),
            Keys = [.. _keys.Values],
            Subscribers = [.. Subscribers.Select(saved => saved.Value.ToRecord(saved.Key))],
        };
    }

    public void Reopen(ulong epoch, long confirmed, long next)
    {
        _epochs = EpochHistory.Reopen(_epochs, epoch, next);
        Reserved = Math.Max(Reserved, next - 1);
        _closed = null;
        _rows.RemoveAll(row => row.Extent.First > confirmed);
        if (_rows.Count > 0 && _rows[^1].Extent.Last > confirmed) _rows[^1] = _rows[^1].CutBehind(confirmed);
        foreach (var key in _keys.Values.Where(key => key.Seq > confirmed).ToArray()) _keys.Remove(key.Key);
    }

    public void Append(IReadOnlyList<EventRun> runs, IReadOnlyList<LogKey> keys)
    {
        if (!StoredRuns.Rise(runs, _rows.Count == 0 ? 0 : _rows[^1].Extent.Last))
            throw new InvalidOperationException($"Stream {Id} already has events with these numbers.");
        StoredRuns.Write(runs, run => _rows.Add(Row.Of(run)));
        foreach (var key in keys) _keys[key.Key] = key;
    }

    public void Close(GracefulClose close) => _closed = (close.End, close.Floor, Row.Of(close.Ring));

    public void Delete(long nowMs)
    {
        DeletedMs = nowMs;
        _rows.Clear();
        _keys.Clear();
        Subscribers.Clear();
        Settings = null;
    }

    public void Trim(long through, long nowMs)
    {
        _rows.RemoveAll(row => row.Extent.Last <= through);
        _trimmed = Math.Max(_trimmed, through);
        foreach (var key in _keys.Values.Where(key => key.ExpiresMs < nowMs).ToArray()) _keys.Remove(key.Key);
    }

    public EventRun Read(long after, int maxEvents, int maxBytes)
    {
        var run = new EventRun();
        foreach (var row in _rows)
        {
            if (row.Extent.Last <= after) continue;
            if (!StoredRuns.TakeAfter(run, row.Frames, row.Slots, after, maxEvents, maxBytes)) break;
        }
        return run;
    }

    public EventRun ReadNewest(int maxEvents, int maxBytes)
    {
        var (index, from) = (_rows.Count, 0);
        while (index > 0 && from == 0 && maxEvents > 0)
        {
            var row = _rows[--index];
            from = StoredRuns.NewestFrom(row.Slots, maxEvents, maxBytes);
            maxEvents -= row.Slots.Length - from;
            foreach (ref readonly var slot in row.Slots.AsSpan(from)) maxBytes -= slot.Length;
        }
        var run = new EventRun();
        foreach (var row in CollectionsMarshal.AsSpan(_rows)[index..])
        {
            StoredRuns.Take(run, row.Frames, row.Slots.AsSpan(from));
            from = 0;
        }
        return run;
    }

    public void ReadOwed(OwedMarks into)
    {
        foreach (var row in _rows) into.Add(row.Slots, row.Frames);
    }

    public void SaveSubscriber(SubscriberWrite write)
    {
        if (!Subscribers.TryGetValue(write.Name, out var subscriber))
            Subscribers.Add(write.Name, subscriber = new MemorySubscriber());
        subscriber.Save(write);
    }

    private sealed record Row(byte[] Frames, EventSlot[] Slots, Extent Extent)
    {
        public static Row Of(EventRun run)
        {
            var extent = run.Count == 0 ? default
                : new Extent(run.First, run.Last, run.Count, run.Frames.Length, run.Slots[^1].AppendedMs);
            return new Row(run.Frames.ToArray(), run.Slots.ToArray(), extent);
        }

        public EventRun ToRun()
        {
            var run = new EventRun(Frames.Length + 1, Slots.Length + 1);
            run.Append(Frames, Slots);
            return run;
        }

        public Row CutBehind(long confirmed)
        {
            using var run = ToRun();
            run.Truncate(StoredRuns.IndexAfter(Slots, confirmed));
            return Of(run);
        }
    }
}
