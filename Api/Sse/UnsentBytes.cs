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

    /// <summary>A connection waits for its reader with so many bytes, until that is ended.</summary>
    public void Begin(Wait wait, long bytes)
    {
        List<SseConnection>? beyond = null;
        lock (_lock)
        {
            wait.Bytes = bytes;
            while (_total + bytes > most && _waits.First is { } longest)
            {
                Remove_UnderLock(longest.Value);
                (beyond ??= []).Add(longest.Value.Connection);
            }
            if (_total + bytes > most) (beyond ??= []).Add(wait.Connection);
            else Add_UnderLock(wait);
        }
        foreach (var slow in beyond ?? []) slow.DropAsSlow(
            $"More than {most} bytes waited for slow readers, and for this one longest; it was closed.");
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

    /// <summary>The waiting of one connection, again and again.</summary>
    internal sealed class Wait
    {
        public Wait(SseConnection connection) => (Connection, Node) = (connection, new LinkedListNode<Wait>(this));

        public SseConnection Connection { get; }

        /// <summary>Under the lock.</summary>
        public long Bytes { get; set; }

        public LinkedListNode<Wait> Node { get; }
    }
}
