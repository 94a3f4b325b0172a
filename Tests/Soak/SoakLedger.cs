using System.Collections.Concurrent;

namespace OrleansEvents.Tests.Soak;

/// <summary>What one subscriber was given and what it acknowledged: the model that the server is held to.</summary>
internal sealed class SoakLedger(string subscriber, ConcurrentQueue<string> broken)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<int, (bool Asked, int Answered)> _acks = [];
    private readonly HashSet<int> _received = [];
    private int _ticket;

    public string Subscriber { get; } = subscriber;

    /// <summary>Acknowledgements that were answered.</summary>
    public int Acknowledged
    {
        get
        {
            lock (_lock) return _acks.Values.Count(each => each.Answered > 0);
        }
    }

    /// <summary>A connection begins: what is answered before must not come on it.</summary>
    public int NewConnection() => Interlocked.Increment(ref _ticket);

    public void Receive(int number, int connection)
    {
        lock (_lock)
        {
            _received.Add(number);
            if (_acks.TryGetValue(number, out var ack) && ack.Answered > 0 && ack.Answered < connection)
                Break($"{number} came on connection {connection}; it was acknowledged before {ack.Answered + 1}");
        }
    }

    /// <summary>An acknowledgement goes off: nobody knows yet what comes of it.</summary>
    public void Ask(IEnumerable<int> numbers)
    {
        lock (_lock)
            foreach (var number in numbers)
                if (!_acks.ContainsKey(number)) _acks[number] = (true, 0);
    }

    public void Answer(IEnumerable<int> numbers)
    {
        lock (_lock)
            foreach (var number in numbers)
                if (_acks.GetValueOrDefault(number).Answered == 0) _acks[number] = (true, Volatile.Read(ref _ticket));
    }

    /// <summary>At the end everything published is acknowledged or a dead letter, and nothing both.</summary>
    public void Check(int published, IReadOnlySet<int> dead, Func<int, bool> mayBeDead)
    {
        lock (_lock)
        {
            for (var number = 1; number <= published; number++)
            {
                var (asked, answered) = _acks.GetValueOrDefault(number);
                if (!asked && !dead.Contains(number)) Break($"{number} is neither acknowledged nor a dead letter");
                // What was sent and never looked at, since its reader had no time, was delivered all the same.
                if (!_received.Contains(number) && !dead.Contains(number)) Break($"{number} never came");
                if (answered > 0 && dead.Contains(number)) Break($"{number} is a dead letter though acknowledged");
                if (dead.Contains(number) && !mayBeDead(number)) Break($"{number} is a dead letter");
            }
        }
    }

    public void Break(string what) => broken.Enqueue($"{Subscriber}: {what}");
}
