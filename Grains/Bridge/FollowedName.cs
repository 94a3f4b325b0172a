using Orleans.Runtime;
using OrleansEvents.Streams;

namespace OrleansEvents.Grains.Bridge;

/// <summary>Which Orleans streams are event streams: those of one namespace whose key is a stream's name.</summary>
internal static class FollowedName
{
    public static StreamId Of(string stream) => StreamId.Create(BridgeOptions.Namespace, stream);

    public static Refusal? Check(StreamId stream) => Check(stream.GetNamespace(), stream.GetKeyAsString());

    public static Refusal? Check(string? space, string name) => space == BridgeOptions.Namespace
        ? StreamName.Check(name)
        : new Refusal(Streams.ErrorCode.InvalidInput,
            $"The Orleans streams that are event streams have the namespace {BridgeOptions.Namespace}.");
}
