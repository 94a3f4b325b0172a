using Orleans.Runtime;
using Orleans.Storage;
using Orleans.Streams;
using OrleansEvents.Grains.Interfaces;

namespace OrleansEvents.Grains.Bridge;

/// <summary>
/// Where Orleans keeps who subscribes to a stream of the provider: the cluster's grain storage. It writes there before
/// a subscription counts, and that is how the cluster learns which event streams to follow, from where on.
/// </summary>
internal sealed class SubscriptionStorage(IGrainStorage storage, IGrainFactory grains, BridgeOptions options)
    : IGrainStorage
{
    private readonly HashRingBasedStreamQueueMapper _mapper = EventStreamsAdapter.MapperOf(options);

    public Task ReadStateAsync<T>(string stateName, GrainId grainId, IGrainState<T> grainState) =>
        storage.ReadStateAsync(stateName, grainId, grainState);

    public async Task WriteStateAsync<T>(string stateName, GrainId grainId, IGrainState<T> grainState)
    {
        await Follow(grainId.Key.ToString()!);
        await storage.WriteStateAsync(stateName, grainId, grainState);
    }

    public Task ClearStateAsync<T>(string stateName, GrainId grainId, IGrainState<T> grainState) =>
        storage.ClearStateAsync(stateName, grainId, grainState);

    /// <param name="key"><c>provider/namespace/key</c>.</param>
    private async Task Follow(string key)
    {
        var parts = key.Split('/', 3);
        if (FollowedName.Check(parts[1], parts[2]) is { } bad) throw new EventRefusedException(bad);
        var queue = _mapper.GetQueueForStream(FollowedName.Of(parts[2]));
        var list = grains.GetGrain<IFollowedStreams>(FollowedQueue.KeyOf(options, queue));
        if ((await list.Follow(parts[2])).Refusal is { } refused) throw new EventRefusedException(refused);
    }
}
