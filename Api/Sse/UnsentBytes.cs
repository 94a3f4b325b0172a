namespace OrleansEvents.Api.Sse;

/// <summary>
/// What waits for readers that take nothing. A connection has an event and a round's bytes at most, but connections are
/// many and events may be large: together they are bounded, and beyond the bound whoever has been waited for longest is
/// closed. Thread-safe.
/// </summary>
internal sealed class UnsentBytes(long most)
{
    private readonly Lock _lock = new();
    private readonly LinkedList<Wait> _waits = [];
    private long _total;

    public long Total => Volatile.Read(ref _total);

    /// <summary>The connection waits for its reader with so many bytes, until this is ended.</summary>
    public Wait Begin(SseConnection connection, long bytes)
    {
        var wait = new Wait(connection, bytes);
        List<SseConnection>? beyond = null;
        lock (_lock)
        {
            while (_total + bytes > most && _waits.First is { } longest)
            {
                Remove_UnderLock(longest.Value);
                (beyond ??= []).Add(longest.Value.Connection);
            }
            if (_total + bytes > most) (beyond ??= []).Add(connection);
            else Add_UnderLock(wait);
        }
        foreach (var slow in beyond ?? []) slow.DropAsSlow(
            $"More than {most} bytes waited for slow readers, and for this one longest; it was closed.");
        return wait;
    }

    public void End(Wait wait)
    {
        lock (_lock) Remove_UnderLock(wait);
    }

    private void Add_UnderLock(Wait wait)
    {
        _waits.AddLast(wait.Node);
        _total += wait.Bytes;
    }

    private void Remove_UnderLock(Wait wait)
    {
        if (wait.Node.List is null) return;
        _waits.Remove(wait.Node);
        _total -= wait.Bytes;
    }

    internal sealed class Wait
    {
        public Wait(SseConnection connection, long bytes) =>
            (Connection, Bytes, Node) = (connection, bytes, new LinkedListNode<Wait>(this));

        public SseConnection Connection { get; }

        public long Bytes { get; }

        public LinkedListNode<Wait> Node { get; }
    }
}
