using OrleansEvents.Streams;

namespace OrleansEvents.Grains.Nodes;

public sealed partial class ClusterStreams
{
    /// <inheritdoc/>
    public ValueTask<Outcome<ConfiguredStream>> Configure(string stream, ReadOnlyMemory<byte> json,
        CancellationToken cancel) => throw new NotSupportedException();

    /// <inheritdoc/>
    public ValueTask<Outcome<StreamDescription>> Describe(string stream) => throw new NotSupportedException();

    /// <inheritdoc/>
    public ValueTask<Outcome<StreamPage>> List(string prefix, string? after, int limit) =>
        throw new NotSupportedException();

    /// <inheritdoc/>
    public ValueTask<Outcome<StreamDescription>> Complete(string stream, CancellationToken cancel) =>
        throw new NotSupportedException();

    /// <inheritdoc/>
    public ValueTask<Outcome<long>> Delete(string stream, CancellationToken cancel) =>
        throw new NotSupportedException();
}
