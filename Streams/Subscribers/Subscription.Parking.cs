using System.Buffers;
using System.Text.Json;

namespace OrleansEvents.Streams;

public sealed partial class Subscription
{
    private const int ParkedAtOnce = 256;

    private readonly List<ParkedMark> _parked = [];
    private readonly Queue<long> _toPark = new();
    private readonly HashSet<long> _replaying = [];
    private HashSet<long> _toReplay = [];
    private HashSet<long> _savingReplay = [];
    private SortedSet<long> _unpark = [];
    private int _parkingCount;
    private long _nextExpiryMs = long.MaxValue;

    /// <summary>Dead letters: parked, and not put back.</summary>
    public int DeadLetterCount => _parked.Count - _replaying.Count;

    /// <summary>Whether events wait to be parked.</summary>
    public bool IsParking => _parkingCount > 0;

    /// <summary>Dead letters that went past their limit; null: none.</summary>
    public ExpiredRange? Expired { get; private set; }

    /// <summary>Whether a reader has been told of <see cref="Expired"/>.</summary>
    public bool IsExpiryTold { get; private set; } = true;

    /// <summary>A reader has been told of what expired.</summary>
    public void ExpiryTold()
    {
        IsUnsaved |= !IsExpiryTold;
        IsExpiryTold = true;
    }

    /// <summary>Whether the parked copy of an event is owed again.</summary>
    public bool IsReplaying(long seq) => _replaying.Contains(seq);

    /// <summary>Dead letters that are owed again.</summary>
    public int ReplayingCount => _replaying.Count;

    /// <summary>Whether an event is a dead letter.</summary>
    public bool IsDeadLetter(long seq) => ParkedIndexOf(seq) >= 0 && !_replaying.Contains(seq);

    /// <summary>Whether there is a dead letter beyond a number.</summary>
    public bool HasDeadLetterAfter(long seq)
    {
        for (var i = _parked.Count - 1; i >= 0 && _parked[i].Seq > seq; i--)
            if (IsDeadLetter(_parked[i].Seq)) return true;
        return false;
    }

    /// <summary>Begins to put dead letters back, all or some, with new attempts; they are owed when
    /// <see cref="Saved"/> is called. Returns those that are dead letters.</summary>
    public IReadOnlyList<long> BeginReplay(IReadOnlyList<long>? seqs) =>
        [.. (seqs ?? [.. _parked.Select(mark => mark.Seq)]).Where(IsDeadLetter).Where(_toReplay.Add)];

    /// <summary>Begins to remove all dead letters; returns how many.</summary>
    public int BeginPurge()
    {
        var count = 0;
        foreach (var mark in _parked)
        {
            if (_replaying.Contains(mark.Seq)) continue;
            _unpark.Add(mark.Seq);
            count++;
        }
        (Expired, IsExpiryTold) = (null, true);
        IsUnsaved = true;
        return count;
    }

    private int ParkedIndexOf(long seq)
    {
        int low = 0, high = _parked.Count;
        while (low < high)
        {
            var middle = (low + high) >>> 1;
            if (_parked[middle].Seq < seq) low = middle + 1;
            else high = middle;
        }
        return low < _parked.Count && _parked[low].Seq == seq ? low : -1;
    }

    /// <summary>Dead letters past their number or age become one range that is listed.</summary>
    private void ExpireParked(Instant now)
    {
        if (now.UnixMs < _nextExpiryMs) return;
        var over = _parked.Count(mark => IsStaying(mark.Seq)) - _limits.Parked;
        var before = now.UnixMs - (long)_limits.ParkedAge.TotalMilliseconds;
        foreach (var mark in _parked)
        {
            if (over <= 0 && mark.ParkedMs > before || !IsStaying(mark.Seq)) continue;
            _unpark.Add(mark.Seq);
            over--;
            Expired = Expired is { } range
                ? new(Math.Min(range.First, mark.Seq), Math.Max(range.Last, mark.Seq), range.Count + 1)
                : new(mark.Seq, mark.Seq, 1);
            IsExpiryTold = false;
            IsUnsaved = true;
        }
        FindNextExpiry();
    }

    /// <summary>Whether a parked event is a dead letter that no save is to remove, or to have owed again.</summary>
    private bool IsStaying(long seq) => !_replaying.Contains(seq) && !_unpark.Contains(seq)
        && !_savingUnpark.Contains(seq) && !_toReplay.Contains(seq) && !_savingReplay.Contains(seq);

    /// <summary>Which ranges of numbers storage removes, neighbours together.</summary>
    private List<(long First, long Last)> RangesOf(SortedSet<long> seqs)
    {
        var ranges = new List<(long First, long Last)>();
        var joins = false;
        foreach (var mark in _parked)
        {
            var goes = seqs.Contains(mark.Seq);
            if (goes && joins) ranges[^1] = (ranges[^1].First, mark.Seq);
            else if (goes) ranges.Add((mark.Seq, mark.Seq));
            joins = goes;
        }
        foreach (var seq in seqs)
            if (ParkedIndexOf(seq) < 0) ranges.Add((seq, seq));
        return ranges;
    }

    private void FindNextExpiry()
    {
        var (count, oldestMs) = (0, long.MaxValue);
        foreach (var mark in _parked)
        {
            if (!IsStaying(mark.Seq)) continue;
            count++;
            oldestMs = Math.Min(oldestMs, mark.ParkedMs);
        }
        _nextExpiryMs = count > _limits.Parked ? 0
            : count > 0 ? oldestMs + (long)_limits.ParkedAge.TotalMilliseconds : long.MaxValue;
    }

    /// <summary>What an operator is told of a parked event; opaque to storage.</summary>
    private static ReadOnlyMemory<byte> NoteOf(in Entry entry)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteNumber("attempts", entry.Attempt);
            json.WriteStartArray("history");
            foreach (var (ms, reason) in entry.History ?? [])
            {
                json.WriteNumberValue(ms);
                json.WriteStringValue(reason);
            }
            json.WriteEndArray();
            json.WriteEndObject();
        }
        return buffer.WrittenMemory;
    }

    /// <summary>Takes the dead letters of a page of what is parked.</summary>
    /// <param name="page">The page, not empty.</param>
    /// <param name="into">Where their frames are copied to.</param>
    /// <param name="details">Where what is known of each is added.</param>
    public void TakeDeadLetters(ParkedPage page, EventRun into, List<PendingEvent> details)
    {
        var events = page.Events;
        for (var i = 0; i < events.Count; i++)
        {
            ref readonly var slot = ref events.Slots[i];
            if (!IsDeadLetter(slot.Seq)) continue;
            into.Append(slot, events.FrameOf(slot));
            var (attempts, history) = ReadNote(page.Notes[i]);
            details.Add(new PendingEvent(slot.Seq, attempts, null, history));
        }
    }

    /// <summary>Reads what <see cref="SubscriptionSave.Parking"/> noted of an event.</summary>
    public static (int Attempts, IReadOnlyList<PastFailure> History) ReadNote(ReadOnlyMemory<byte> note)
    {
        using var json = JsonDocument.Parse(note);
        var flat = json.RootElement.GetProperty("history").EnumerateArray().ToArray();
        var history = new PastFailure[flat.Length / 2];
        for (var i = 0; i < history.Length; i++) history[i] = new(flat[2 * i].GetInt64(), flat[2 * i + 1].GetString()!);
        return (json.RootElement.GetProperty("attempts").GetInt32(), history);
    }
}
