using OrleansEvents.Grains.Interfaces;
using OrleansEvents.Streams;

namespace OrleansEvents.Grains.Nodes;

/// <summary>The engine of a cluster's node: every stream's owner is a grain somewhere.</summary>
public sealed partial class ClusterStreams : IEventStreams, IAsyncDisposable
{
    private readonly NodeContext _context;

    internal ClusterStreams(NodeContext context) =>
        (_context, _sessions) = (context, new(() => new ClusterSessions(context)));

    /// <inheritdoc/>
    public async ValueTask<Outcome<Published>> Publish(string stream, ReadOnlyMemory<NewEvent> events,
        List<PublishedEvent>? each, CancellationToken cancel)
    {
        var answer = await Owner(stream).Publish(PackedEvents.Of(events.Span), each is not null);
        if (answer.Refusal is { } refused) return refused;
        each?.AddRange(answer.Value!.Each!);
        return answer.Value!.Published;
    }

    /// <inheritdoc/>
    public ValueTask<Outcome<FeedLease>> Follow(string stream) => throw new NotSupportedException();

    /// <inheritdoc/>
    public ValueTask<Outcome<IPatternLease>> FollowPattern(StreamPattern pattern, Action<FeedLease?> appeared) =>
        throw new NotSupportedException();

    /// <inheritdoc/>
    public ValueTask<Outcome<EventRun>> ReadStored(string stream, long after, int maxEvents, int maxBytes) =>
        throw new NotSupportedException();

    /// <summary>Ends what the node follows.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_sessions.IsValueCreated) await _sessions.Value.DisposeAsync();
    }

    private IStreamGrain Owner(string stream) => _context.Grains.GetGrain<IStreamGrain>(stream);
}
