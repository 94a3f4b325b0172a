using OrleansEvents.Streams;

namespace OrleansEvents.Storage.Memory;

public sealed partial class MemoryEventLog : ISubscriberLog
{
    /// <inheritdoc/>
    public Task<OpenedSubscriber?> OpenSubscriber(string stream, string name, SubscriberWrite? create, long nowMs) =>
        Locked(() =>
        {
            if (_byName.GetValueOrDefault(stream) is not { DeletedMs: null } row) return null;
            if (!row.Subscribers.TryGetValue(name, out var subscriber))
            {
                if (create is null) return new OpenedSubscriber(new(row.Id, name, 0), null);
                row.SaveSubscriber(create with { Name = name });
                subscriber = row.Subscribers[name];
            }
            subscriber.Epoch = Math.Max(subscriber.Epoch + 1, nowMs);
            return new OpenedSubscriber(new(row.Id, name, subscriber.Epoch), subscriber.ToRecord(name));
        });

    /// <inheritdoc/>
    public Task SaveSubscriber(SubscriberHandle handle, SubscriberWrite write)
    {
        ParkedEvents.Require(write);
        return Locked(() =>
        {
            Owned(handle).SaveSubscriber(write with { Name = handle.Name });
            return true;
        });
    }

    /// <inheritdoc/>
    public Task RemoveSubscriber(SubscriberHandle handle) =>
        Locked(() => Owned(handle).Subscribers.Remove(handle.Name));

    private MemoryStreamRow Owned(SubscriberHandle handle) =>
        _byId.TryGetValue(handle.Stream, out var row) && row.Subscribers.TryGetValue(handle.Name, out var subscriber)
            && subscriber.Epoch == handle.Epoch
            ? row : throw new LogFencedException($"Subscriber {handle.Name} has another owner.");
}
