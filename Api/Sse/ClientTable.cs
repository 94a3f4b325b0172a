namespace OrleansEvents.Api.Sse;

/// <summary>How often each client has connected, for as many clients as it may remember.</summary>
internal sealed class ClientTable(int most)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<Line, LinkedListNode<(Line Line, int Times)>> _known = [];
    private readonly LinkedList<(Line Line, int Times)> _latestFirst = new();

    /// <summary>A client connects: how often has it before? A page that reads two things does not come back.</summary>
    public int Came(string client, string streams)
    {
        // A hash, not the names: there may be a hundred of them.
        var line = new Line(client, streams.GetHashCode(StringComparison.Ordinal));
        lock (_lock)
        {
            if (_known.Remove(line, out var node)) _latestFirst.Remove(node);
            var before = node?.Value.Times ?? 0;
            _known.Add(line, _latestFirst.AddFirst((line, before + 1)));
            if (_known.Count <= most) return before;
            _known.Remove(_latestFirst.Last!.Value.Line);
            _latestFirst.RemoveLast();
            return before;
        }
    }

    private readonly record struct Line(string Client, int Streams);
}
