using Microsoft.Extensions.Logging;
using Orleans.Configuration;
using Orleans.Providers.Streams.Common;
using Orleans.Runtime;
using Orleans.Streams;
using OrleansEvents.Grains.Interfaces;
using OrleansEvents.Grains.Nodes;
using OrleansEvents.Streams;

namespace OrleansEvents.Grains.Bridge;

/// <summary>
/// An Orleans stream provider whose streams are event streams. There is no queue between the two: what is published
/// goes to the stream's owner, and its publisher is answered when it is in the stream and, where durable, on storage.
/// Who follows is a cursor into the copy of the stream that the node of the provider's agent has.
/// </summary>
internal sealed partial class EventStreamsAdapter(BridgeOptions options, Func<ClusterStreams> streams,
    Func<QueueId, FollowedQueue> queue, ILogger<EventStreamsAdapter> logger)
    : IQueueAdapterFactory, IQueueAdapter, IQueueAdapterCache, IStreamFailureHandler
{
    private readonly Dictionary<QueueId, FollowedQueue> _queues = [];
    private readonly HashRingBasedStreamQueueMapper _mapper = MapperOf(options);

    public string Name => options.Provider;

    public bool IsRewindable => true;

    public StreamProviderDirection Direction => StreamProviderDirection.ReadWrite;

    bool IStreamFailureHandler.ShouldFaultSubsriptionOnError => false;

    /// <summary>The queue on which a stream's name falls, as everywhere in the cluster.</summary>
    public static HashRingBasedStreamQueueMapper MapperOf(BridgeOptions options) =>
        new(new HashRingStreamQueueMapperOptions { TotalQueueCount = options.Queues }, options.Provider);

    public Task<IQueueAdapter> CreateAdapter() => Task.FromResult<IQueueAdapter>(this);

    public IQueueAdapterCache GetQueueAdapterCache() => this;

    public IStreamQueueMapper GetStreamQueueMapper() => _mapper;

    public Task<IStreamFailureHandler> GetDeliveryFailureHandler(QueueId queueId) =>
        Task.FromResult<IStreamFailureHandler>(this);

    /// <summary>What an agent reads from and what it caches are one: there is nothing to fetch.</summary>
    public IQueueCache CreateQueueCache(QueueId queueId)
    {
        var made = queue(queueId);
        lock (_queues) _queues[queueId] = made;
        return made;
    }

    public IQueueAdapterReceiver CreateReceiver(QueueId queueId)
    {
        lock (_queues) return _queues[queueId];
    }

    public async Task QueueMessageBatchAsync<T>(StreamId streamId, IEnumerable<T> events, StreamSequenceToken? token,
        Dictionary<string, object>? requestContext)
    {
        if (await Publish(streamId, events, token) is not { } refusal) return;
        Refused(logger, streamId, refusal.Code, refusal.Detail);
        throw new EventRefusedException(refusal);
    }

    public Task OnDeliveryFailure(GuidId subscriptionId, string streamProviderName, StreamId streamIdentity,
        StreamSequenceToken? sequenceToken)
    {
        NotTaken(logger, streamIdentity, subscriptionId.Guid, sequenceToken?.SequenceNumber);
        return Task.CompletedTask;
    }

    public Task OnSubscriptionFailure(GuidId subscriptionId, string streamProviderName, StreamId streamIdentity,
        StreamSequenceToken? sequenceToken) =>
        OnDeliveryFailure(subscriptionId, streamProviderName, streamIdentity, sequenceToken);

    private async Task<Refusal?> Publish<T>(StreamId streamId, IEnumerable<T> events, StreamSequenceToken? token)
    {
        if (FollowedName.Check(streamId) is { } bad) return bad;
        var name = streamId.GetKeyAsString();
        if (StreamName.IsServerOwn(name))
            return new Refusal(Streams.ErrorCode.PermissionDenied, $"{name} is the server's own.");
        if (token is not null)
            return new Refusal(Streams.ErrorCode.InvalidInput, "Numbers are given by the stream: publish no token.");
        var read = PublishedItems.Read(events, options);
        if (read.Refusal is { } invalid) return invalid;
        using var parsed = read.Value!;
        var published = await OutsideGrains.Call(() =>
            streams().Publish(name, parsed.Events, null, CancellationToken.None));
        return published.Refusal;
    }

    [LoggerMessage(EventIds.ItemRefused, LogLevel.Warning,
        "Orleans stream {Stream}: what was published is refused: {Code} {Detail}")]
    private static partial void Refused(ILogger logger, StreamId stream, Streams.ErrorCode code, string detail);

    [LoggerMessage(EventIds.ItemNotTaken, LogLevel.Warning,
        "Orleans stream {Stream}: subscription {Subscription} does not take what ends at {Seq}; it is told a gap")]
    private static partial void NotTaken(ILogger logger, StreamId stream, Guid subscription, long? seq);
}
