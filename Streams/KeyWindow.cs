using System.Buffers.Binary;
using System.Security.Cryptography;

namespace OrleansEvents.Streams;

/// <summary>
/// The keys of a stream's recent events. A key points at its event, or at the batch that is still being written and
/// whose outcome decides. Expiry is monotonic; what storage gives is clamped to the window when it is loaded.
/// It has one holder, and is no object of its own: an idle stream is to be small.
/// </summary>
internal struct KeyWindow
{
    // Most streams never see a key.
    private Dictionary<string, Entry>? _keys;
    private Queue<(string Key, Entry Entry)>? _expiry;

    public readonly int Count => _keys?.Count ?? 0;

    /// <summary>When the oldest key expires, monotonic; the end of time when there is none.</summary>
    public readonly long NextExpiryMs =>
        _expiry is not null && _expiry.TryPeek(out var next) ? next.Entry.ExpiresMs : long.MaxValue;

    public readonly Entry? Find(string key, Instant now)
    {
        if (_keys is null || !_keys.TryGetValue(key, out var entry)) return null;
        return entry.Pending is null && entry.ExpiresMs <= now.Ms ? null : entry;
    }

    public void Add(string key, Entry entry)
    {
        (_keys ??= [])[key] = entry;
        (_expiry ??= []).Enqueue((key, entry));
    }

    public void Load(LogKey key, TimeSpan window, Instant now)
    {
        var left = Math.Clamp(key.ExpiresMs - now.UnixMs, 0, (long)window.TotalMilliseconds);
        Add(key.Key, new Entry(key.Hash, new Cursor(key.Epoch, key.Seq), now.Ms + left, Durable: true));
    }

    /// <summary>Forgets a key whose event was not written after all.</summary>
    public readonly void Forget(string key, PendingBatch batch)
    {
        if (_keys is not null && _keys.TryGetValue(key, out var entry) && entry.Pending == batch) _keys.Remove(key);
    }

    public readonly void Expire(Instant now)
    {
        if (_keys is null || _expiry is null) return;
        while (_expiry.TryPeek(out var next) && next.Entry.ExpiresMs <= now.Ms && next.Entry.Pending is null)
        {
            _expiry.Dequeue();
            if (_keys.TryGetValue(next.Key, out var entry) && entry == next.Entry) _keys.Remove(next.Key);
        }
    }

    /// <summary>What makes an event's content the same: type, version, what was said of critical, and data.</summary>
    public static UInt128 HashOf(in NewEvent @event)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Span<byte> head = stackalloc byte[9];
        BinaryPrimitives.WriteInt32LittleEndian(head, @event.Version);
        BinaryPrimitives.WriteInt32LittleEndian(head[4..], @event.Type.Length);
        head[8] = @event.Critical switch { null => 0, false => 1, true => 2 };
        hash.AppendData(head);
        hash.AppendData(@event.Type.Span);
        hash.AppendData(@event.Data.Span);
        Span<byte> digest = stackalloc byte[32];
        hash.GetHashAndReset(digest);
        return BinaryPrimitives.ReadUInt128LittleEndian(digest);
    }

    public sealed record Entry(UInt128 Hash, Cursor Id, long ExpiresMs, bool Durable)
    {
        /// <summary>The batch that is being written; null once its outcome is known.</summary>
        public PendingBatch? Pending { get; set; }
    }
}
