using System.Buffers;
using System.Text.Json;

namespace OrleansEvents.Streams;

/// <summary>How an event stands to a subscriber.</summary>
public enum OwedState
{
    /// <summary>Not owed: as for anybody.</summary>
    NotOwed,

    /// <summary>Owed until it is acknowledged.</summary>
    Owed,

    /// <summary>Acknowledged: never again.</summary>
    Acknowledged,
}

/// <summary>What an acknowledgement did.</summary>
public enum AckResult
{
    /// <summary>It was owed, and is acknowledged now.</summary>
    Acknowledged,

    /// <summary>It had been acknowledged.</summary>
    Already,

    /// <summary>No event that was owed to this subscriber.</summary>
    Unknown,
}

/// <summary>An owed event: its number and how often it was delivered by this process.</summary>
public readonly record struct OwedEvent(long Seq, int Attempt);

/// <summary>
/// The state machine of one named subscriber of one stream: which critical events it is owed and has not
/// acknowledged. What is stored is a watermark and the ranges acknowledged above it; what is owed is derived from the
/// stream's retained critical events, which the host tells (<see cref="Owe"/>, <see cref="OweOlder"/>), and which lapse
/// when they are trimmed. Called in the owner's turn.
/// <para>An owed event is <i>waiting</i>, then <i>delivered</i>, perhaps again, then <i>being acknowledged</i> while
/// the new state is saved, then gone. A failed save puts it back. Acknowledged events at the front move the
/// watermark.</para>
/// <para>Invariants: owed numbers increase; an event at or below the watermark, or acknowledged, is never owed again;
/// memory changes after storage.</para>
/// </summary>
public sealed class Subscription
{
    private readonly List<Entry> _owed = [];
    private readonly List<(long First, long Last)> _stored = [];
    private int _front;
    private int _acknowledged;

    /// <summary>A new subscriber, which is owed everything that is retained.</summary>
    public Subscription(string name, long nowMs) => (Name, CreatedMs, LastSeenMs) = (name, nowMs, nowMs);

    /// <summary>A subscriber as its saved state has it. Throws <see cref="FormatException"/> on any other
    /// bytes.</summary>
    public Subscription(SubscriberRecord record)
    {
        Name = record.Name;
        try
        {
            using var state = JsonDocument.Parse(record.State);
            var root = state.RootElement;
            CreatedMs = root.GetProperty("createdMs").GetInt64();
            LastSeenMs = root.GetProperty("lastSeenMs").GetInt64();
            Watermark = root.GetProperty("watermark").GetInt64();
            if (root.TryGetProperty("removedMs", out var removed)) RemovedMs = removed.GetInt64();
            var bounds = root.GetProperty("acknowledged").EnumerateArray().Select(each => each.GetInt64()).ToArray();
            for (var i = 0; i + 1 < bounds.Length; i += 2) _stored.Add((bounds[i], bounds[i + 1]));
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException)
        {
            throw new FormatException($"The stored state of subscriber {record.Name} cannot be read.", e);
        }
    }

    private enum State : byte
    {
        Waiting,
        Delivered,
        Acknowledging,
        Acknowledged,
    }

    /// <summary>The subscriber's name.</summary>
    public string Name { get; }

    /// <summary>When it was registered, Unix milliseconds.</summary>
    public long CreatedMs { get; }

    /// <summary>When it last had a connection or acknowledged, Unix milliseconds.</summary>
    public long LastSeenMs { get; set; }

    /// <summary>When it was removed, Unix milliseconds; saved as its tombstone. Null: it is there.</summary>
    public long? RemovedMs { get; set; }

    /// <summary>Everything up to here is acknowledged, or has lapsed.</summary>
    public long Watermark { get; private set; }

    /// <summary>Events owed and not acknowledged.</summary>
    public int PendingCount => _owed.Count - _front - _acknowledged;

    /// <summary>Everything up to here needs to be kept for others only: below the first event owed, or the
    /// head.</summary>
    public long DoneThrough(long head)
    {
        for (var i = _front; i < _owed.Count; i++)
            if (_owed[i].State != State.Acknowledged) return _owed[i].Seq - 1;
        return head;
    }

    /// <summary>A critical event has become visible. Numbers increase.</summary>
    public void Owe(long seq)
    {
        if (seq <= Watermark || _owed.Count > _front && seq <= _owed[^1].Seq) return;
        _owed.Add(new Entry(seq, State.Waiting));
    }

    /// <summary>Critical events from storage, older than all that were told by <see cref="Owe"/>.</summary>
    public void OweOlder(IReadOnlyList<long> seqs)
    {
        var before = _front < _owed.Count ? _owed[_front].Seq : long.MaxValue;
        var older = seqs.Where(seq => seq > Watermark && seq < before).Select(seq => new Entry(seq, StoredState(seq)));
        _owed.InsertRange(_front, older);
        _acknowledged = _owed.Skip(_front).Count(entry => entry.State == State.Acknowledged);
        AdvanceWatermark();
    }

    /// <summary>The events up to a number are no longer retained: what was owed of them lapses. Returns how
    /// many.</summary>
    public int Lapse(long through)
    {
        var lapsed = 0;
        while (_front < _owed.Count && _owed[_front].Seq <= through)
        {
            if (_owed[_front].State != State.Acknowledged) lapsed++;
            else _acknowledged--;
            Watermark = _owed[_front++].Seq;
        }
        Compact();
        return lapsed;
    }

    /// <summary>How an event stands.</summary>
    public OwedState StateOf(long seq)
    {
        if (seq <= Watermark) return OwedState.Acknowledged;
        var index = IndexOf(seq);
        if (index < 0) return OwedState.NotOwed;
        return _owed[index].State == State.Acknowledged ? OwedState.Acknowledged : OwedState.Owed;
    }

    /// <summary>What is owed above a number, oldest first.</summary>
    public IEnumerable<OwedEvent> Pending(long after)
    {
        for (var i = Math.Max(_front, LowerBound(after + 1)); i < _owed.Count; i++)
            if (_owed[i].State != State.Acknowledged) yield return new(_owed[i].Seq, _owed[i].Attempt);
    }

    /// <summary>The event's bytes have gone out to one of the subscriber's connections.</summary>
    public void Delivered(long seq)
    {
        var index = IndexOf(seq);
        if (index < 0) return;
        var entry = _owed[index];
        var state = entry.State == State.Waiting ? State.Delivered : entry.State;
        _owed[index] = new Entry(seq, state, entry.Attempt + 1);
    }

    /// <summary>Begins acknowledging one event; it is done when <see cref="Acknowledged"/> is called.</summary>
    public AckResult BeginAcknowledge(long seq)
    {
        if (seq <= Watermark) return AckResult.Already;
        var index = IndexOf(seq);
        if (index < 0) return AckResult.Unknown;
        if (_owed[index].State == State.Acknowledged) return AckResult.Already;
        _owed[index] = _owed[index] with { State = State.Acknowledging };
        return AckResult.Acknowledged;
    }

    /// <summary>Begins acknowledging all that was delivered up to a number, and returns it.</summary>
    public IReadOnlyList<long> BeginAcknowledgeUpTo(long seq)
    {
        var taken = new List<long>();
        for (var i = _front; i < _owed.Count && _owed[i].Seq <= seq; i++)
        {
            if (_owed[i].State is not (State.Delivered or State.Acknowledging)) continue;
            _owed[i] = _owed[i] with { State = State.Acknowledging };
            taken.Add(_owed[i].Seq);
        }
        return taken;
    }

    /// <summary>The numbers that are being acknowledged; with them saved, <see cref="Acknowledged"/> is to be
    /// called.</summary>
    public IReadOnlyList<long> Acknowledging =>
        [.. _owed.Skip(_front).Where(entry => entry.State == State.Acknowledging).Select(entry => entry.Seq)];

    /// <summary>The outcome of saving the state that <see cref="Save"/> gave.</summary>
    public void Acknowledged(IReadOnlyList<long> seqs, bool succeeded)
    {
        foreach (var seq in seqs)
        {
            var index = IndexOf(seq);
            if (index < 0 || _owed[index].State != State.Acknowledging) continue;
            _owed[index] = _owed[index] with { State = succeeded ? State.Acknowledged : State.Delivered };
            if (succeeded) _acknowledged++;
        }
        AdvanceWatermark();
    }

    /// <summary>The state to be stored, with what is being acknowledged taken as acknowledged.</summary>
    public ReadOnlyMemory<byte> Save()
    {
        var buffer = new ArrayBufferWriter<byte>();
        using var json = new Utf8JsonWriter(buffer);
        json.WriteStartObject();
        json.WriteNumber("createdMs", CreatedMs);
        json.WriteNumber("lastSeenMs", LastSeenMs);
        if (RemovedMs is { } removed) json.WriteNumber("removedMs", removed);
        json.WriteNumber("watermark", Watermark);
        json.WriteStartArray("acknowledged");
        for (var i = _front; i < _owed.Count; i++)
        {
            if (!IsTaken(i)) continue;
            json.WriteNumberValue(_owed[i].Seq);
            while (i + 1 < _owed.Count && IsTaken(i + 1)) i++;
            json.WriteNumberValue(_owed[i].Seq);
        }
        json.WriteEndArray();
        json.WriteEndObject();
        json.Flush();
        return buffer.WrittenMemory;
    }

    private bool IsTaken(int index) => _owed[index].State is State.Acknowledging or State.Acknowledged;

    private State StoredState(long seq)
    {
        int low = 0, high = _stored.Count;
        while (low < high)
        {
            var middle = (low + high) >>> 1;
            if (_stored[middle].Last < seq) low = middle + 1;
            else high = middle;
        }
        return low < _stored.Count && _stored[low].First <= seq ? State.Acknowledged : State.Waiting;
    }

    private void AdvanceWatermark()
    {
        while (_front < _owed.Count && _owed[_front].State == State.Acknowledged)
        {
            Watermark = _owed[_front++].Seq;
            _acknowledged--;
        }
        Compact();
    }

    private void Compact()
    {
        if (_front <= _owed.Count / 2) return;
        _owed.RemoveRange(0, _front);
        _front = 0;
    }

    private int IndexOf(long seq)
    {
        var index = LowerBound(seq);
        return index < _owed.Count && _owed[index].Seq == seq ? index : -1;
    }

    private int LowerBound(long seq)
    {
        int low = _front, high = _owed.Count;
        while (low < high)
        {
            var middle = (low + high) >>> 1;
            if (_owed[middle].Seq < seq) low = middle + 1;
            else high = middle;
        }
        return low;
    }

    private readonly record struct Entry(long Seq, State State, int Attempt = 0);
}
