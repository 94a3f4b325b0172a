using System.Buffers;
using System.Text.Json;

namespace OrleansEvents.Streams;

public sealed partial class Subscription
{
    /// <summary>Ranges of numbers that storage says are done, until the owed events are told.</summary>
    private List<(long First, long Last)> _loadedRanges = [];
    private List<long> _loadedReplays = [];
    private List<StoredTries> _loadedTries = [];
    private long _loadedWatermark;

    /// <summary>All that was owed up to here was acknowledged or parked when its state was saved.</summary>
    public long StoredWatermark => _loadedWatermark;

    /// <summary>A subscriber as its saved state has it. Throws <see cref="FormatException"/> on any other
    /// bytes.</summary>
    /// <param name="record">What is stored.</param>
    /// <param name="policy">What it has unless its own was saved.</param>
    /// <param name="head">The stream's head: ordinary events up to it are not owed.</param>
    /// <param name="limits">The server's bounds.</param>
    public Subscription(SubscriberRecord record, SubscriberPolicy policy, long head, SubscriptionLimits limits)
    {
        (Name, Policy, _limits, _abandonedThrough) = (record.Name, policy, limits, head);
        try
        {
            using var state = JsonDocument.Parse(record.State);
            var root = state.RootElement;
            CreatedMs = root.GetProperty("createdMs").GetInt64();
            LastSeenMs = root.GetProperty("lastSeenMs").GetInt64();
            _loadedWatermark = _through = root.GetProperty("watermark").GetInt64();
            if (root.TryGetProperty("removedMs", out var removed)) RemovedMs = removed.GetInt64();
            var bounds = NumbersOf(root, "acknowledged");
            for (var i = 0; i + 1 < bounds.Length; i += 2) _loadedRanges.Add((bounds[i], bounds[i + 1]));
            if (_loadedRanges.Count > 0) _through = _loadedRanges[^1].Last;
            ReadMore(root);
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException)
        {
            throw new FormatException($"The stored state of subscriber {record.Name} cannot be read.", e);
        }
        _parked.AddRange(record.Parked);
        _replaying.UnionWith(_loadedReplays.Where(seq => ParkedIndexOf(seq) >= 0));
        _loadedReplays = [.. _replaying];
        ReadTypes();
        FindNextExpiry();
    }

    private static long[] NumbersOf(JsonElement root, string name) => root.TryGetProperty(name, out var array)
        ? [.. array.EnumerateArray().Select(each => each.GetInt64())] : [];

    private void ReadMore(JsonElement root)
    {
        if (root.TryGetProperty("from", out var from)) _fromSeq = from.GetInt64();
        if (root.TryGetProperty("ordinaryFrom", out var ordinary)) _ordinaryFrom = ordinary.GetInt64();
        if (root.TryGetProperty("disabled", out var disabled)) Disabled = disabled.GetString();
        if (NumbersOf(root, "failing") is { Length: 2 } failing) Failing = new(failing[0], failing[1]);
        if (root.TryGetProperty("policy", out var policy))
        {
            IsExplicit = true;
            var text = JsonSerializer.SerializeToUtf8Bytes(policy);
            if (!SubscriberPolicy.Default.TryApply(text, out var own, out var bad))
                throw new FormatException(bad.Detail);
            Policy = own;
        }
        if (NumbersOf(root, "counts") is { Length: 4 } counts) Counts = new(counts[0], counts[1], counts[2], counts[3]);
        _loadedReplays = [.. NumbersOf(root, "replaying")];
        if (NumbersOf(root, "expired") is { Length: 4 } expired)
        {
            Expired = new(expired[0], expired[1], expired[2]);
            IsExpiryTold = expired[3] != 0;
        }
        if (!root.TryGetProperty("tries", out var tries)) return;
        foreach (var item in tries.EnumerateArray())
        {
            var values = item.EnumerateArray().ToArray();
            if (values.Length < 2) throw new FormatException("Attempts of no event.");
            var history = new PastFailure[(values.Length - 2) / 2];
            for (var i = 0; i < history.Length; i++)
                history[i] = new(values[2 + 2 * i].GetInt64(), values[3 + 2 * i].GetString() ?? "");
            var bounds = values[1].EnumerateArray().Select(each => each.GetInt64()).ToArray();
            for (var i = 0; i + 1 < bounds.Length; i += 2)
                _loadedTries.Add(new(bounds[i], bounds[i + 1], values[0].GetUInt16(),
                    history.Length == 0 ? null : history));
        }
    }

    /// <summary>What storage says of the attempts at an event; null: none.</summary>
    private StoredTries? StoredTriesOf(long seq)
    {
        int low = 0, high = _loadedTries.Count;
        while (low < high)
        {
            var middle = (low + high) >>> 1;
            if (_loadedTries[middle].Last < seq) low = middle + 1;
            else high = middle;
        }
        return low < _loadedTries.Count && _loadedTries[low].First <= seq ? _loadedTries[low] : null;
    }

    /// <summary>Whether storage says that an event is done, and whether one before it was.</summary>
    private bool IsStoredDone(long seq, out bool followsDone)
    {
        followsDone = false;
        if (seq <= _loadedWatermark) return true;
        int low = 0, high = _loadedRanges.Count;
        while (low < high)
        {
            var middle = (low + high) >>> 1;
            if (_loadedRanges[middle].Last < seq) low = middle + 1;
            else high = middle;
        }
        // Where nothing that is owed lies between, a mark too many does no harm.
        followsDone = low > 0 && _loadedRanges[low - 1].Last < seq;
        return low < _loadedRanges.Count && _loadedRanges[low].First <= seq;
    }

    /// <summary>The state to be stored: what is acknowledged is taken as done, and what is being parked.</summary>
    private ReadOnlyMemory<byte> Write(HashSet<long> parked, SubscriberCounts counts)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using var json = new Utf8JsonWriter(buffer);
        json.WriteStartObject();
        json.WriteNumber("createdMs", CreatedMs);
        json.WriteNumber("lastSeenMs", LastSeenMs);
        if (RemovedMs is { } removed) json.WriteNumber("removedMs", removed);
        if (_fromSeq > 0) json.WriteNumber("from", _fromSeq);
        if (_ordinaryFrom > 0) json.WriteNumber("ordinaryFrom", _ordinaryFrom);
        if (Failing is { } failing && !BeginsAnew(Saving))
            WriteNumbers(json, "failing", [failing.SinceMs, failing.LastMs]);
        var (policy, isExplicit, disabled) = Saving;
        if (isExplicit)
        {
            json.WritePropertyName("policy");
            policy.WriteTo(json, withSecret: true);
        }
        if (disabled is not null) json.WriteString("disabled", disabled);
        WriteDone(json, parked);
        WriteTries(json, parked);
        var again = _replaying.Where(seq => !parked.Contains(seq) && !_savingUnpark.Contains(seq)).Union(_savingReplay);
        WriteNumbers(json, "replaying", again.Order());
        WriteNumbers(json, "counts", [counts.Queued, counts.Retried, counts.Succeeded, counts.Abandoned]);
        if (Expired is { } range)
            WriteNumbers(json, "expired", [range.First, range.Last, range.Count, IsExpiryTold ? 1 : 0]);
        json.WriteEndObject();
        json.Flush();
        return buffer.WrittenMemory;
    }

    private static void WriteNumbers(Utf8JsonWriter json, string name, IEnumerable<long> numbers)
    {
        json.WriteStartArray(name);
        foreach (var number in numbers) json.WriteNumberValue(number);
        json.WriteEndArray();
    }

    /// <summary>Whether an event is done when the save that begins has succeeded.</summary>
    private static bool IsDoneWith(in Entry entry, HashSet<long> parked) =>
        entry.State is State.Done or State.Acknowledging || entry.State == State.Parking && parked.Contains(entry.Seq);

    /// <summary>Up to where all is done, and the ranges that are done behind what is not.</summary>
    private void WriteDone(Utf8JsonWriter json, HashSet<long> parked)
    {
        var ranges = new List<long>();
        var (watermark, last, through, passed) = (-1L, 0L, _through, false);
        for (var i = _front; i < _owed.Count; i++)
        {
            var entry = _owed[i];
            if (watermark >= 0 && entry.Seq > _plainAfter) break;
            if (entry.IsReplayed)
            {
                // Done once, before it was owed again.
                passed = true;
                continue;
            }
            if (IsDoneWith(entry, parked))
            {
                passed = true;
                through = Math.Max(through, entry.Seq);
                continue;
            }
            if (watermark < 0) watermark = entry.Seq - 1;
            else if ((passed || entry.FollowsDone) && entry.Seq > last + 1) ranges.AddRange([last + 1, entry.Seq - 1]);
            (last, passed) = (entry.Seq, false);
        }
        if (watermark >= 0 && through > last) ranges.AddRange([last + 1, through]);
        json.WriteNumber("watermark", watermark < 0 ? through : Math.Min(watermark, through));
        WriteNumbers(json, "acknowledged", ranges);
    }

    /// <summary>Attempts and failures, once for all events in a row that have the same: most have.</summary>
    private void WriteTries(Utf8JsonWriter json, HashSet<long> parked)
    {
        json.WriteStartArray("tries");
        var bounds = new List<long>();
        Entry group = default;
        for (var i = _front; i < _owed.Count; i++)
        {
            var entry = _owed[i];
            if (entry.Seq > _plainAfter) break;
            if (entry.Attempt == 0 || entry.IsVolatile || IsDoneWith(entry, parked)) continue;
            if (bounds.Count > 0 && !(entry.Attempt == group.Attempt && IsSame(entry.History, group.History)))
            {
                WriteTries(json, group, bounds);
                bounds.Clear();
            }
            group = entry;
            // Numbers between are left out: they may be owed some day.
            if (bounds.Count > 0 && bounds[^1] == entry.Seq - 1) bounds[^1] = entry.Seq;
            else bounds.AddRange([entry.Seq, entry.Seq]);
        }
        if (bounds.Count > 0) WriteTries(json, group, bounds);
        json.WriteEndArray();
    }

    private static void WriteTries(Utf8JsonWriter json, in Entry group, List<long> bounds)
    {
        json.WriteStartArray();
        json.WriteNumberValue(group.Attempt);
        json.WriteStartArray();
        foreach (var seq in bounds) json.WriteNumberValue(seq);
        json.WriteEndArray();
        foreach (var (ms, reason) in group.History ?? [])
        {
            json.WriteNumberValue(ms);
            json.WriteStringValue(reason);
        }
        json.WriteEndArray();
    }

    private static bool IsSame(PastFailure[]? one, PastFailure[]? other) =>
        one == other || one.AsSpan().SequenceEqual(other);

    /// <summary>Attempts at events in a row.</summary>
    private sealed record StoredTries(long First, long Last, ushort Attempt, PastFailure[]? History);
}
