using OrleansEvents.Streams;

namespace OrleansEvents.Grains.Nodes;

/// <summary>How far a node's copy of a stream is behind its owner, as far as the node can know: by the heads that
/// the owner has told it of, and by how long ago it last answered. Noted in the copy's turn, read from any
/// thread.</summary>
internal sealed class ReplicaLag
{
    /// <summary>An owner is asked so often in a lease; after two questions without an answer it is silent.</summary>
    private const double SilentPart = 2.0 / 15;

    private long _events;
    private long _sinceMs = long.MaxValue;
    private long _silentMs = long.MaxValue;

    /// <summary>The owner has answered.</summary>
    public void Answered(TimeSpan lease, long nowMs) =>
        Volatile.Write(ref _silentMs, nowMs + (long)(lease.TotalMilliseconds * SilentPart));

    /// <summary>The copy is so many numbers behind now.</summary>
    public void Is(long events, long nowMs)
    {
        Volatile.Write(ref _events, Math.Max(0, events));
        if (events <= 0) Volatile.Write(ref _sinceMs, long.MaxValue);
        else if (_sinceMs == long.MaxValue) Volatile.Write(ref _sinceMs, nowMs);
    }

    public TapLag At(long nowMs) => new(Volatile.Read(ref _events),
        Math.Max(0, nowMs - Math.Min(Volatile.Read(ref _sinceMs), Volatile.Read(ref _silentMs))));
}
