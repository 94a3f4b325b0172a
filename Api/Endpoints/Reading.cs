using OrleansEvents.Api.Sse;
using OrleansEvents.Streams;

namespace OrleansEvents.Api.Endpoints;

/// <summary>What one read holds while it lasts: leases on its streams, its patterns, its subscriber's
/// session.</summary>
internal sealed class Reading(IEventStreams streams, Operations operations, ReadRequest request, SessionKind kind)
    : IDisposable
{
    private readonly List<FeedLease> _leases = [];
    private FollowedPatterns? _patterns;
    private bool _isRemoved;

    public IReadOnlyList<FeedLease> Leases => _leases;

    public ISubscriberSession? Subscriber { get; private set; }

    /// <summary>Whether every stream was deleted, or the subscriber removed: there is nothing to read until one is made
    /// again.</summary>
    public bool IsGone => _isRemoved || !request.HasWildcards
        && _leases.TrueForAll(lease => lease.Feed.History.State == StreamState.Deleted);

    /// <summary>Whether the client has read everything of streams that are completed.</summary>
    public bool IsAtItsEnd => !request.HasWildcards && request.After is not null && (Subscriber?.PendingCount ?? 0) == 0
        && _leases.TrueForAll(lease => lease.Feed.History.State switch
        {
            StreamState.Deleted => true,
            StreamState.Completed => lease.Feed.Resolve(request.FromOf(lease.Feed.Stream)) is { Gap: null } start
                && start.Seq >= lease.Feed.Head,
            _ => false,
        });

    /// <summary>Opens all; a refusal when one cannot be.</summary>
    public async ValueTask<Refusal?> Open()
    {
        foreach (var pattern in request.Patterns)
        {
            if (pattern.HasWildcard)
            {
                _patterns ??= new FollowedPatterns();
                var followed = await operations.Limit(streams.FollowPattern(pattern, _patterns.Offer), "follow_pattern",
                    pattern.Text);
                if (followed.Refusal is { } refused) return refused;
                _patterns.Add(followed.Value!);
                foreach (var lease in followed.Value!.Matched) Add(lease);
                continue;
            }
            var lent = await operations.LimitSimple(streams.Follow(pattern.Text), "follow", pattern.Text);
            if (lent.Refusal is { } refusal) return refusal;
            Add(lent.Value!);
        }
        // A subscriber that comes back to a deleted stream must not make it again.
        if (request.Subscriber is null || IsGone) return null;
        var session = await operations.Limit(streams.Subscribe(request.Patterns[0].Text, request.Subscriber, kind),
            "subscribe", request.Patterns[0].Text);
        Subscriber = session.Value;
        _isRemoved = session is { Refusal: null, Value: null };
        return session.Refusal;
    }

    /// <summary>The leases, now the taker's to release.</summary>
    public List<FeedLease> TakeLeases()
    {
        var taken = _leases.ToList();
        _leases.Clear();
        return taken;
    }

    /// <summary>The patterns, now the taker's to dispose; null: there are none.</summary>
    public FollowedPatterns? TakePatterns()
    {
        var taken = _patterns;
        _patterns = null;
        return taken;
    }

    /// <summary>The session, now the taker's to dispose.</summary>
    public ISubscriberSession? TakeSubscriber()
    {
        var taken = Subscriber;
        Subscriber = null;
        return taken;
    }

    public void Dispose()
    {
        _patterns?.Dispose();
        foreach (var lease in _leases) lease.Dispose();
        Subscriber?.Dispose();
    }

    /// <summary>A stream that is named and matched, or matched by two patterns, is read once.</summary>
    private void Add(FeedLease lease)
    {
        if (_leases.Exists(each => each.Feed == lease.Feed)) lease.Dispose();
        else _leases.Add(lease);
    }
}
