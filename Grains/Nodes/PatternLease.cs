using OrleansEvents.Streams;

namespace OrleansEvents.Grains.Nodes;

/// <summary>What one who follows a pattern holds of it. All members may be called from any thread.</summary>
internal sealed class PatternLease(PatternFollowers followers, StreamPattern pattern,
    Func<string, ValueTask<Outcome<FeedLease>>> follow, Action<FeedLease?> appeared, int most) : IPatternLease
{
    private readonly Lock _lock = new();

    /// <summary>The streams that were taken; null while one is being taken.</summary>
    private readonly Dictionary<string, StreamFeed?> _held = new(StringComparer.Ordinal);

    // What is told while the streams that are there are being taken; null after.
    private List<string>? _later = [];
    private bool _told;
    private bool _isOver;

    public StreamPattern Pattern { get; } = pattern;

    public IReadOnlyList<FeedLease> Matched { get; private set; } = [];

    /// <summary>The streams that were there are taken; those that were told of meanwhile appear.</summary>
    public async ValueTask Begin(IReadOnlyList<FeedLease> matched)
    {
        List<string> later;
        lock (_lock)
        {
            Matched = matched;
            (later, _later) = (_later!, null);
        }
        await Task.WhenAll(later.Select(name => Offer(name).AsTask()));
    }

    public void Dispose()
    {
        lock (_lock) _isOver = true;
        followers.Remove(this);
    }

    /// <summary>Takes a stream that matches and was not taken yet; null otherwise.</summary>
    public async ValueTask<(FeedLease? Lease, bool Full)> Take(string name)
    {
        if (!Pattern.Matches(name)) return default;
        lock (_lock)
        {
            if (_isOver || (_held.TryGetValue(name, out var held) && held?.History.State != StreamState.Deleted))
                return default;
            if (held is null && _held.Count >= most) return (null, true);
            // Taken by whoever comes first.
            _held[name] = null;
        }
        FeedLease? lease = null;
        try
        {
            lease = (await follow(name)).Value;
        }
        finally
        {
            lock (_lock)
            {
                if (lease is not null && !_isOver) _held[name] = lease.Feed;
                else _held.Remove(name);
            }
        }
        if (lease is null || !_isOver) return (lease, false);
        lease.Dispose();
        return default;
    }

    public async ValueTask Offer(string name)
    {
        lock (_lock)
        {
            _later?.Add(name);
            if (_later is not null) return;
        }
        var (lease, full) = await Take(name);
        if (lease is not null) appeared(lease);
        else if (full && !Interlocked.Exchange(ref _told, true)) appeared(null);
    }
}
