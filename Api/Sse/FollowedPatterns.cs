using OrleansEvents.Streams;

namespace OrleansEvents.Api.Sse;

/// <summary>The patterns that one read follows, and the streams that appear before anybody takes them.</summary>
internal sealed class FollowedPatterns : IDisposable
{
    private readonly List<IPatternLease> _patterns = [];
    private readonly Queue<FeedLease?> _early = new();
    private readonly Lock _lock = new();
    private Action<FeedLease?>? _appeared;
    private bool _disposed;

    /// <summary>Who is given the streams that appear; those that appeared already come at once.</summary>
    public Action<FeedLease?> Appeared
    {
        set
        {
            lock (_lock)
            {
                _appeared = value;
                while (_early.TryDequeue(out var lease)) value(lease);
            }
        }
    }

    public void Add(IPatternLease pattern) => _patterns.Add(pattern);

    /// <summary>A stream has appeared; null: one too many.</summary>
    public void Offer(FeedLease? lease)
    {
        lock (_lock)
        {
            if (_disposed) lease?.Dispose();
            else if (_appeared is null) _early.Enqueue(lease);
            else _appeared(lease);
        }
    }

    public void Dispose()
    {
        lock (_lock)
        {
            _disposed = true;
            while (_early.TryDequeue(out var lease)) lease?.Dispose();
        }
        foreach (var pattern in _patterns) pattern.Dispose();
    }
}
