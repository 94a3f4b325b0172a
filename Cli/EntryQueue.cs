using System.Globalization;
using OrleansEvents.Client;

namespace OrleansEvents.Cli;

/// <summary>How much may wait to be sent.</summary>
internal sealed record QueueLimits(int Events = 10_000, long Bytes = 8 * 1024 * 1024);

/// <summary>
/// Log entries that wait to be sent, in order and within limits. Where entries had to be dropped, the next batch begins
/// with an entry that says so. Not synchronised: its owner is.
/// </summary>
internal sealed class EntryQueue(QueueLimits limits, string keyPrefix, TimeProvider time)
{
    private readonly Queue<NewEvent> _waiting = new();
    private long _bytes;
    private long _lastKey;
    private long _droppedSinceTake;

    public int Count => _waiting.Count;

    /// <summary>All that was ever dropped.</summary>
    public long Dropped { get; private set; }

    public bool IsFull => _waiting.Count >= limits.Events || _bytes >= limits.Bytes;

    /// <summary>Adds an entry; the oldest make room when there is none.</summary>
    public void Add(string type, string content)
    {
        var entry = LogEntry.Event(type, content, time.GetUtcNow(), NextKey());
        _waiting.Enqueue(entry);
        _bytes += entry.Data.Length;
        while (_waiting.Count > limits.Events || (_bytes > limits.Bytes && _waiting.Count > 1))
        {
            _bytes -= _waiting.Dequeue().Data.Length;
            _droppedSinceTake++;
            Dropped++;
        }
    }

    /// <summary>The oldest entries, at least one if there is any.</summary>
    public IReadOnlyList<NewEvent> Take(int mostEvents, int mostBytes)
    {
        var batch = new List<NewEvent>();
        if (_droppedSinceTake > 0)
        {
            batch.Add(LogEntry.Event(LogEntry.Error, Loss(_droppedSinceTake), time.GetUtcNow(), NextKey()));
            _droppedSinceTake = 0;
        }
        for (var bytes = 0; batch.Count < mostEvents && _waiting.TryPeek(out var next);)
        {
            bytes += next.Data.Length;
            if (bytes > mostBytes && batch.Count > 0)
                break;
            _bytes -= next.Data.Length;
            batch.Add(_waiting.Dequeue());
        }
        return batch;
    }

    private static string Loss(long count) => string.Create(
        CultureInfo.InvariantCulture,
        $"entries dropped here while the server was away and the queue was full: {count}");

    private string NextKey() => string.Create(CultureInfo.InvariantCulture, $"{keyPrefix}-{++_lastKey}");
}
