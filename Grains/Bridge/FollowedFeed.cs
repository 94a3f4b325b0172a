using Orleans.Runtime;
using Orleans.Streams;
using OrleansEvents.Grains.Interfaces;
using OrleansEvents.Streams;

namespace OrleansEvents.Grains.Bridge;

/// <summary>One event stream that is followed by an Orleans stream, on the node of its queue's agent, and the cursors
/// of its followers. Used in the agent's turns; only <see cref="Advanced"/> is called on any thread.</summary>
internal sealed class FollowedFeed(FollowedStream told, IEventStreams streams, TimeProvider time,
    Action<FollowedFeed> moved) : IFeedWatcher, IDisposable
{
    private static readonly TimeSpan RetryEvery = TimeSpan.FromMilliseconds(250);

    private readonly List<FollowedCursor> _cursors = [];
    private FeedLease? _lease;
    private Cursor _told = told.Since;
    private Cursor _passed = told.Since;
    private int _isMoved;
    private bool _isOver;

    public string Name { get; } = told.Name;

    public StreamId StreamId { get; } = FollowedName.Of(told.Name);

    /// <summary>The number that the list gave it last.</summary>
    public long No { get; set; } = told.No;

    /// <summary>The node's copy; null until the stream is followed.</summary>
    public StreamFeed? Feed => _lease?.Feed;

    public IEventStreams Streams { get; } = streams;

    /// <summary>Begins to follow.</summary>
    public void Start() => _ = Follow();

    /// <inheritdoc/>
    public void Advanced(StreamFeed feed) => Move();

    /// <summary>Asks for the agent's turn.</summary>
    public void Move()
    {
        if (Interlocked.Exchange(ref _isMoved, 1) == 0) moved(this);
    }

    /// <summary>Asks for the agent's turn after a while: something did not answer.</summary>
    public async Task MoveLater()
    {
        await Task.Delay(RetryEvery, time);
        Move();
    }

    /// <summary>Tells the agent that there is something behind what it was told of before; null when there is
    /// not.</summary>
    public IBatchContainer? Wake()
    {
        Volatile.Write(ref _isMoved, 0);
        if (_isOver || Feed is not { } feed) return null;
        var history = feed.History;
        // The next stream of that name has a feed of its own.
        if (history.State == StreamState.Deleted) Start();
        if (history.Epoch == 0) return null;
        var from = _told;
        _told = history.At(feed.Head);
        return new FollowedBatch(StreamId, new EventPosition(from), PackedRun.Empty, null, null);
    }

    /// <summary>A follower's place: behind a position, or at what comes now.</summary>
    public FollowedCursor From(EventPosition? position)
    {
        var now = Feed is { } feed && feed.History.Epoch != 0 ? feed.History.At(feed.Head) : _told;
        var cursor = new FollowedCursor(this, position ?? new EventPosition(now), isKnown: position is not null);
        _cursors.Add(cursor);
        return cursor;
    }

    public void Leave(FollowedCursor cursor) => _cursors.Remove(cursor);

    /// <summary>How far all followers have come, if that is farther than it was.</summary>
    public Cursor? TakePassed()
    {
        if (_cursors.Count == 0) return null;
        var least = _cursors.MinBy(cursor => cursor.Passed.Seq)!.Passed;
        if (least == _passed) return null;
        return _passed = least;
    }

    public void Dispose()
    {
        _isOver = true;
        LetGo();
    }

    private async Task Follow()
    {
        LetGo();
        while (!_isOver)
        {
            if (await Lease() is { } lease)
            {
                lease.Feed.Watch(this);
                _lease = lease;
                if (_isOver) LetGo();
                Move();
                return;
            }
            await Task.Delay(RetryEvery, time);
        }
    }

    private async Task<FeedLease?> Lease()
    {
        try
        {
            return (await OutsideGrains.Call(() => Streams.Follow(Name))).Value;
        }
#pragma warning disable CA1031 // Whatever it is, it is tried again.
        catch
#pragma warning restore CA1031
        {
            return null;
        }
    }

    private void LetGo()
    {
        if (_lease is not { } lease) return;
        _lease = null;
        lease.Feed.Unwatch(this);
        lease.Dispose();
    }
}
