namespace OrleansEvents.Client;

/// <summary>
/// The newest events that were passed on. A connection over many streams resumes a little early, so some arrive again.
/// </summary>
internal sealed class SeenEvents(int capacity)
{
    private readonly HashSet<(string Stream, string Id)> _known = [];
    private readonly Queue<(string Stream, string Id)> _order = new();

    /// <summary>Whether the event is new. A redelivery always is: it has its own right to be seen.</summary>
    public bool Add(StreamEvent arrived)
    {
        if (arrived.Attempt > 1)
            return true;
        var identity = (arrived.Stream, arrived.Id);
        if (!_known.Add(identity))
            return false;
        _order.Enqueue(identity);
        if (_order.Count > capacity)
            _known.Remove(_order.Dequeue());
        return true;
    }
}
