using OrleansEvents.Streams;

namespace OrleansEvents.Grains.Nodes;

public sealed partial class ClusterStreams
{
    /// <inheritdoc/>
    public Action<string, string>? PushWanted { get; set; }

    /// <inheritdoc/>
    public ValueTask<Outcome<ISubscriberSession?>> Subscribe(string stream, string subscriber, SessionKind kind) =>
        throw new NotSupportedException();

    /// <inheritdoc/>
    public ValueTask<Outcome<ConfiguredSubscriber>> ConfigureSubscriber(string stream, string subscriber,
        ReadOnlyMemory<byte> json, CancellationToken cancel) => throw new NotSupportedException();

    /// <inheritdoc/>
    public ValueTask<Outcome<IReadOnlyList<SubscriberDescription>>> Subscribers(string stream) =>
        throw new NotSupportedException();

    /// <inheritdoc/>
    public ValueTask<Outcome<SubscriberDescription>> DescribeSubscriber(string stream, string subscriber) =>
        throw new NotSupportedException();

    /// <inheritdoc/>
    public ValueTask<Outcome<int>> RemoveSubscriber(string stream, string subscriber, CancellationToken cancel) =>
        throw new NotSupportedException();

    /// <inheritdoc/>
    public ValueTask<Outcome<IReadOnlyList<Acknowledged>>> Acknowledge(string stream, string subscriber,
        AckRequest request, CancellationToken cancel) => throw new NotSupportedException();

    /// <inheritdoc/>
    public ValueTask<Outcome<IReadOnlyList<NotAcknowledged>>> Nack(string stream, string subscriber,
        NackRequest request, CancellationToken cancel) => throw new NotSupportedException();

    /// <inheritdoc/>
    public ValueTask<Outcome<SubscriberPage>> Pending(string stream, string subscriber, long after, int limit) =>
        throw new NotSupportedException();

    /// <inheritdoc/>
    public ValueTask<Outcome<SubscriberPage>> DeadLetters(string stream, string subscriber, long after, int limit) =>
        throw new NotSupportedException();

    /// <inheritdoc/>
    public ValueTask<Outcome<int>> ReplayDeadLetters(string stream, string subscriber, IReadOnlyList<string>? ids,
        CancellationToken cancel) => throw new NotSupportedException();

    /// <inheritdoc/>
    public ValueTask<Outcome<int>> PurgeDeadLetters(string stream, string subscriber, CancellationToken cancel) =>
        throw new NotSupportedException();

    /// <inheritdoc/>
    public IReadOnlyList<OpenSubscriber> OpenSubscribers() => throw new NotSupportedException();

    /// <inheritdoc/>
    public ValueTask<Outcome<bool>> DisablePush(string stream, string subscriber, string reason) =>
        throw new NotSupportedException();
}
