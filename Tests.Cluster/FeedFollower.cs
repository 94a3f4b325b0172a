using OrleansEvents.Grains.Nodes;
using OrleansEvents.Streams;
using Xunit;

namespace OrleansEvents.Tests.Cluster;

/// <summary>Reads a node's copy of a stream as a connection does: what comes, in order, and the gaps it is
/// told.</summary>
internal sealed class FeedFollower : IDisposable, IFeedWatcher
{
    private readonly Lock _lock = new();
    private readonly FeedLease _lease;
    private readonly ReadFrom _from;
    private readonly List<int> _numbers = [];
    private readonly List<Gap> _gaps = [];
    private FeedReader _reader;
    private bool _hasBegun;

    public FeedFollower(FeedLease lease, ReadFrom from)
    {
        (_lease, _from) = (lease, from);
        Feed.Watch(this);
        Advanced(Feed);
    }

    public StreamFeed Feed => _lease.Feed;

    public int[] Numbers
    {
        get
        {
            lock (_lock) return [.. _numbers];
        }
    }

    public GapReason[] Gaps
    {
        get
        {
            lock (_lock) return [.. _gaps.Select(gap => gap.Reason)];
        }
    }

    /// <summary>How many the gaps say that it missed.</summary>
    public long Missed
    {
        get
        {
            lock (_lock) return _gaps.Sum(gap => gap.Missed!.Value);
        }
    }

    public Cursor Position
    {
        get
        {
            lock (_lock) return _reader.Position;
        }
    }

    public static async Task<FeedFollower> On(ClusterStreams node, string stream, ReadFrom from)
    {
        var followed = await node.Follow(stream);
        Assert.Null(followed.Refusal);
        return new FeedFollower(followed.Value!, from);
    }

    public void Advanced(StreamFeed feed)
    {
        lock (_lock)
        {
            if (!_hasBegun && feed.History.State is not (StreamState.Open or StreamState.Completed)) return;
            if (!_hasBegun) MoveTo(feed.Resolve(_from));
            _hasBegun = true;
            while (true)
            {
                switch (feed.Read(ref _reader, 1000, out var block))
                {
                    case FeedRead.Nothing: return;
                    // Behind the buffer of a durable stream it stays: it reads no storage.
                    case FeedRead.Behind when feed.Overtaken(_reader, GapReason.Slow) is var start:
                        if (start.Gap is null && start.Seq == _reader.Seq) return;
                        MoveTo(start);
                        continue;
                }
                using (block)
                {
                    using var run = new EventRun();
                    for (var i = 0; i < block.Count; i++) run.Append(block[i], block.Frame(block[i]));
                    _numbers.AddRange(Given.Numbers(run));
                    _reader.Pass(block, block.Count);
                }
            }
        }
    }

    public Task Has(int number) => Given.Until(() => Task.FromResult(Numbers.Contains(number)));

    public Task Is(StreamState state) => Given.Until(() => Task.FromResult(Feed.History.State == state));

    public void Dispose()
    {
        Feed.Unwatch(this);
        _lease.Dispose();
    }

    private void MoveTo(ReadStart start)
    {
        _reader.MoveTo(start);
        if (start.Gap is { } gap) _gaps.Add(gap);
    }
}
