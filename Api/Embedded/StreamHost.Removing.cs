using OrleansEvents.Streams;

namespace OrleansEvents.Api.Embedded;

internal sealed partial class StreamHost
{
    /// <summary>A removed subscriber is not registered by reading for so long: an EventSource would do it at
    /// once.</summary>
    private static readonly TimeSpan TombstoneAge = TimeSpan.FromHours(1);

    /// <summary>When each was removed, Unix milliseconds.</summary>
    private readonly Dictionary<string, long> _removed = new(StringComparer.Ordinal);

    public IReadOnlyList<SubscriberDescription> DescribeSubscribers()
    {
        lock (_turn)
        {
            return [.. _subscribers.Values.OrderBy(entry => entry.State.Name, StringComparer.Ordinal)
                .Select(Describe_UnderLock)];
        }
    }

    /// <summary>Null when there is no such subscriber.</summary>
    public SubscriberDescription? DescribeSubscriber(string subscriber)
    {
        lock (_turn) return _subscribers.TryGetValue(subscriber, out var entry) ? Describe_UnderLock(entry) : null;
    }

    /// <summary>Removes a subscriber and answers how much it was owed; null when there is no such subscriber.</summary>
    public async Task<Outcome<int>?> RemoveSubscriber(string subscriber)
    {
        SubscriberEntry? entry;
        lock (_turn)
            if (!_subscribers.TryGetValue(subscriber, out entry)) return null;
        if (!await entry.Ready) return null;
        Task<bool> saved;
        lock (_turn)
        {
            if (_subscribers.GetValueOrDefault(subscriber) != entry) return null;
            // Saved with its state, so that no later save of an acknowledgement brings it back.
            entry.State.RemovedMs ??= context.Now.UnixMs;
            saved = Save_UnderLock(entry);
        }
        var ok = await saved;
        var (pending, isFirst) = (0, false);
        Turn((_, _) =>
        {
            if (!ok) entry.State.RemovedMs = null;
            else if (isFirst = _subscribers.Remove(subscriber))
                (pending, _removed[subscriber]) = (entry.State.PendingCount, entry.State.RemovedMs!.Value);
        });
        if (!ok) return StoreCircuit.Untaken;
        if (isFirst) Removed(context.Logger, Name, subscriber, pending);
        return pending;
    }

    private SubscriberDescription Describe_UnderLock(SubscriberEntry entry) => new(entry.State.Name,
        Feed.History.At(entry.State.Watermark), entry.State.PendingCount, entry.Connections, entry.State.CreatedMs,
        entry.Connections > 0 ? context.Now.UnixMs : entry.State.LastSeenMs);

    private bool IsRemoved_UnderLock(string subscriber, Instant now)
    {
        if (!_removed.TryGetValue(subscriber, out var removed)) return false;
        if (now.UnixMs - removed < TombstoneAge.TotalMilliseconds) return true;
        // Registering saves over its tombstone.
        _removed.Remove(subscriber);
        return false;
    }

    private void ForgetRemoved_UnderLock(Instant now)
    {
        foreach (var name in _removed.Keys.ToList())
        {
            if (IsRemoved_UnderLock(name, now)) continue;
            var handle = _stream!.Handle;
            _ = Attempt(() => context.Log.RemoveSubscriber(handle, name));
        }
    }

    [LoggerMessage(EventIds.SubscriberRemoved, LogLevel.Information,
        "Stream {Stream}: subscriber {Subscriber} removed, which was owed {Pending} events")]
    private static partial void Removed(ILogger logger, string stream, string subscriber, int pending);
}
