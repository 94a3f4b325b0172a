using OrleansEvents.Streams;

namespace OrleansEvents.Api.Embedded;

/// <summary>Who follows patterns: each is told of every stream that opens and matches.</summary>
internal sealed class PatternFollowers(int most)
{
    private readonly Lock _lock = new();
    private PatternLease[] _leases = [];

    public PatternLease Add(StreamPattern pattern, Action<FeedLease?> appeared)
    {
        var lease = new PatternLease(this, pattern, appeared, most);
        lock (_lock) _leases = [.. _leases, lease];
        return lease;
    }

    /// <summary>A stream has opened.</summary>
    public void Opened(StreamHost host)
    {
        foreach (var lease in Volatile.Read(ref _leases)) lease.Offer(host);
    }

    private void Remove(PatternLease lease)
    {
        lock (_lock) _leases = [.. _leases.Where(each => each != lease)];
    }

    internal sealed class PatternLease(PatternFollowers followers, StreamPattern pattern, Action<FeedLease?> appeared,
        int most)
        : IPatternLease
    {
        private readonly Lock _lock = new();
        // Hosts, not names: a stream that is made again has another.
        private readonly HashSet<StreamHost> _held = [];
        private bool _told;

        public IReadOnlyList<FeedLease> Matched { get; set; } = [];

        public void Dispose() => followers.Remove(this);

        /// <summary>Takes a stream that matches and is not held yet; null otherwise.</summary>
        public FeedLease? Take(StreamHost host, out bool full)
        {
            full = false;
            if (!pattern.Matches(host.Name)) return null;
            lock (_lock)
            {
                if (_held.Contains(host)) return null;
                full = _held.Count >= most;
                if (full || host.Lease() is not { } lease) return null;
                _held.Add(host);
                return new FeedLease(lease.Feed, () => LetGo(host, lease));
            }
        }

        public void Offer(StreamHost host)
        {
            if (Take(host, out var full) is { } lease) appeared(lease);
            else if (full && !Interlocked.Exchange(ref _told, true)) appeared(null);
        }

        private void LetGo(StreamHost host, FeedLease lease)
        {
            lock (_lock) _held.Remove(host);
            lease.Dispose();
        }
    }
}
