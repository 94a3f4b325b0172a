using OrleansEvents.Streams;

namespace OrleansEvents.Api.Embedded;

internal sealed partial class StreamHost
{
    /// <summary>A removed subscriber is not registered by reading for so long: an EventSource would do it at
    /// once.</summary>
    private static readonly TimeSpan TombstoneAge = TimeSpan.FromHours(1);

    /// <summary>When each was removed, Unix milliseconds.</summary>
    private readonly Dictionary<string, long> _removed = new(StringComparer.Ordinal);

    /// <summary>Those whose rows are being removed: who is registered by such a name waits, so that its own row is
    /// not.</summary>
    private readonly Dictionary<string, Task> _leaving = new(StringComparer.Ordinal);

    /// <summary>Removes a subscriber and answers how much it was owed; null when there is no such subscriber.</summary>
    public async Task<Outcome<int>?> RemoveSubscriber(string subscriber)
    {
        if (await Registered(subscriber) is not { } entry) return null;
        // Saved with its state, so that no later save of an acknowledgement brings it back.
        var ok = await Save(entry, state =>
        {
            state.RemovedMs ??= context.Now.UnixMs;
            return true;
        });
        var (pending, isFirst) = (0, false);
        List<SubscriberSession>? ended = null;
        Turn((_, _) =>
        {
            if (!ok) entry.State.RemovedMs = null;
            else if (isFirst = Forget_UnderLock(entry))
            {
                (pending, _removed[subscriber]) = (entry.State.PendingCount, entry.State.RemovedMs!.Value);
                EndSessions_UnderLock(entry, ref ended);
            }
        });
        new Followed(ended, null).Tell(this);
        if (!ok) return StoreCircuit.Untaken;
        if (isFirst) Removed(context.Logger, Name, subscriber, pending);
        return pending;
    }

    private bool Forget_UnderLock(SubscriberEntry entry)
    {
        if (!_subscribers.Remove(entry.State.Name)) return false;
        _blocking.Remove(entry.State);
        entry.IsRegistered = false;
        context.Totals.Add(entry.Told.Gone);
        return true;
    }

    private async Task<SubscriberEntry?> Registered(string subscriber)
    {
        SubscriberEntry? entry;
        lock (_turn)
            if (!_subscribers.TryGetValue(subscriber, out entry)) return null;
        return await entry.Ready ? entry : null;
    }

    private static void EndSessions_UnderLock(SubscriberEntry entry, ref List<SubscriberSession>? ended)
    {
        foreach (var session in entry.Sessions)
        {
            session.IsOver = true;
            (ended ??= []).Add(session);
        }
    }

    /// <summary>One that registered by reading and has had no connection for too long is forgotten.</summary>
    private void Expire_UnderLock(SubscriberEntry entry)
    {
        var name = entry.State.Name;
        Forget_UnderLock(entry);
        RemoveRow_UnderLock(name);
        Expired(context.Logger, Name, name, entry.State.Policy.ExpireAfter.TotalSeconds);
    }

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
            if (!IsRemoved_UnderLock(name, now)) RemoveRow_UnderLock(name);
        }
    }

    private void RemoveRow_UnderLock(string name)
    {
        _leaving[name] = Remove(_stream!.Handle);

        async Task Remove(LogHandle handle)
        {
            await Task.Yield();
            await Attempt(() => context.Log.RemoveSubscriber(handle, name));
            lock (_turn) _leaving.Remove(name);
        }
    }

    [LoggerMessage(EventIds.SubscriberRemoved, LogLevel.Information,
        "Stream {Stream}: subscriber {Subscriber} removed, which was owed {Pending} events")]
    private static partial void Removed(ILogger logger, string stream, string subscriber, int pending);

    [LoggerMessage(EventIds.SubscriberExpired, LogLevel.Information,
        "Stream {Stream}: subscriber {Subscriber} expired, {Seconds} s without a connection")]
    private static partial void Expired(ILogger logger, string stream, string subscriber, double seconds);
}
