namespace OrleansEvents.Client;

/// <summary>
/// The newest events that were passed on. A connection over many streams resumes a little early, so some arrive again.
/// </summary>
internal sealed class SeenEvents(int capacity)
{
    private readonly HashSet<(string Stream, string Id)> _known = [];
    private readonly Queue<(string Stream, string Id)> _order = new();

    /// <summary>Whether the event is new. A redelivery always is: it has its own right to be seen.</summary>
    public bool Add(StreamEvent arrived) => arrived.Attempt > 1 || Add((arrived.Stream, arrived.Id));

    /// <summary>Whether this end is news: each new connection tells again of streams that have ended.</summary>
    public bool Add(EndFrame end) => Add((end.Stream ?? "", "end " + end.Head));

    private bool Add((string Stream, string Id) identity)
    {
        if (!_known.Add(identity))
            return false;
        _order.Enqueue(identity);
        if (_order.Count > capacity)
            _known.Remove(_order.Dequeue());
        return true;
    }
}
