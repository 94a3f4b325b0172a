using System.Collections.Concurrent;
using OrleansEvents.Streams;

namespace OrleansEvents.Api.Sse;

/// <summary>
/// Brings what is new to a share of the connections. Feeds that moved queue up, each once; a sweep gives every
/// connection of such a feed everything since its cursor, in one write, so that batches grow by themselves with the
/// load. It runs on the thread pool, one worker at a time, and only while there is something to do.
/// </summary>
internal sealed class Sweeper(TimeProvider time) : IThreadPoolWorkItem
{
    /// <summary>Connections that have more to send, in one run: what else the pool has to do comes between.</summary>
    private const int UnfinishedAtOnce = 4;

    /// <summary>So few readers of one feed are served by its writer: a thread that is woken for them takes longer than
    /// sending to them.</summary>
    private const int FewReaders = 4;

    private readonly TimeProvider _time = time;
    private readonly ConcurrentQueue<FeedReaders> _moved = new();
    private readonly ConcurrentQueue<SseConnection> _unfinished = new();
    private readonly Dictionary<StreamFeed, FeedReaders> _feeds = [];
    private int _scheduled;

    public void Add(StreamLine line)
    {
        lock (_feeds)
        {
            if (!_feeds.TryGetValue(line.Feed, out var readers))
            {
                readers = new FeedReaders(this);
                _feeds.Add(line.Feed, readers);
                line.Feed.Watch(readers);
            }
            readers.Add(line);
        }
    }

    public void Remove(StreamLine line)
    {
        lock (_feeds)
        {
            if (!_feeds.TryGetValue(line.Feed, out var readers) || readers.Remove(line) > 0) return;
            _feeds.Remove(line.Feed);
            line.Feed.Unwatch(readers);
        }
    }

    /// <summary>The connection has more to send, when the others have had their turn.</summary>
    public void Post(SseConnection connection)
    {
        _unfinished.Enqueue(connection);
        Schedule();
    }

    public void Execute()
    {
        // What is queued while this runs waits behind what was queued before.
        SweepMoved();
        for (var left = Math.Min(_unfinished.Count, UnfinishedAtOnce);
            left > 0 && _unfinished.TryDequeue(out var connection); left--)
        {
            connection.Signal(Signals.Continue);
            // First what is new: those that send much may be many, and have a page of storage each.
            SweepMoved();
        }
        // A fence, so that what was queued before the write is seen behind it.
        Interlocked.Exchange(ref _scheduled, 0);
        if (!_moved.IsEmpty || !_unfinished.IsEmpty) Schedule();
    }

    private void SweepMoved()
    {
        if (_moved.IsEmpty) return;
        for (var left = _moved.Count; left > 0 && _moved.TryDequeue(out var readers); left--) readers.Sweep();
    }

    private void Schedule()
    {
        if (Interlocked.Exchange(ref _scheduled, 1) == 0) ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
    }

    /// <summary>The lines of this sweeper's connections that read one feed.</summary>
    private sealed class FeedReaders(Sweeper sweeper) : IFeedWatcher
    {
        private readonly List<StreamLine> _lines = [];
        private StreamLine[]? _snapshot;

        /// <summary>All of them, while they are few.</summary>
        private volatile StreamLine[]? _few;
        private int _queued;

        public void Advanced(StreamFeed feed)
        {
            // Who is not among them yet reads what was appended before.
            Interlocked.MemoryBarrier();
            if (_few is { } few && TryServe(few)) return;
            if (Interlocked.Exchange(ref _queued, 1) != 0) return;
            sweeper._moved.Enqueue(this);
            sweeper.Schedule();
        }

        public void Add(StreamLine line)
        {
            lock (_lines)
            {
                line.Place = _lines.Count;
                _lines.Add(line);
                Changed_UnderLock();
            }
        }

        public int Remove(StreamLine line)
        {
            lock (_lines)
            {
                var last = _lines[^1];
                (_lines[line.Place], last.Place) = (last, line.Place);
                _lines.RemoveAt(_lines.Count - 1);
                Changed_UnderLock();
                return _lines.Count;
            }
        }

        private void Changed_UnderLock()
        {
            _few = _snapshot = _lines.Count <= FewReaders ? [.. _lines] : null;
        }

        private bool TryServe(StreamLine[] few)
        {
            var now = Instant.Of(sweeper._time);
            var isServed = true;
            foreach (var line in few) isServed &= line.TryAdvance(now);
            return isServed;
        }

        public void Sweep()
        {
            // Before reading: what comes after queues anew. The exchange is a fence, as a plain write would not be.
            Interlocked.Exchange(ref _queued, 0);
            StreamLine[] lines;
            lock (_lines) lines = _snapshot ??= [.. _lines];
            var now = Instant.Of(sweeper._time);
            foreach (var line in lines) line.Advanced(now);
        }
    }
}
