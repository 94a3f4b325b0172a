using OrleansEvents.Streams;

namespace OrleansEvents.Storage.Postgres;

public sealed partial class PostgresEventLog : ISubscriberLog
{
    /// <inheritdoc/>
    public Task<OpenedSubscriber?> OpenSubscriber(string stream, string name, SubscriberWrite? create, long nowMs) =>
        PostgresFailure.Of(() => PostgresSubscribers.Open(_source, stream, name, create, nowMs));

    /// <inheritdoc/>
    public Task SaveSubscriber(SubscriberHandle handle, SubscriberWrite write)
    {
        ParkedEvents.Require(write);
        if (write.Unpark.Count == 0 && write.Notes.Count == 0)
            return WriterOf(StreamOf(handle)).Add(new OwnStateWrite(handle, write));
        return Write(StreamOf(handle), source => PostgresSubscribers.Save(source, handle, write));
    }

    /// <inheritdoc/>
    public Task RemoveSubscriber(SubscriberHandle handle) =>
        Write(StreamOf(handle), source => PostgresSubscribers.Remove(source, handle));

    private static LogHandle StreamOf(SubscriberHandle handle) => OwnStateWrite.StreamOf(handle);
}
