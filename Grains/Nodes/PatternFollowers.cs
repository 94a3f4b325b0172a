using OrleansEvents.Streams;

namespace OrleansEvents.Grains.Nodes;

/// <summary>
/// Who follows patterns on this node. While anybody does, the node reads what owners say on the directory's stream,
/// and every few seconds looks at the streams' table for what it was not told.
/// </summary>
internal sealed class PatternFollowers(NodeContext context, Func<string, ValueTask<Outcome<FeedLease>>> follow)
    : IFeedWatcher, IAsyncDisposable
{
    private const int TablePage = 1000;

    private readonly Lock _lock = new();
    private readonly CancellationTokenSource _ending = new();
    private PatternLease[] _leases = [];
    private Task _watching = Task.CompletedTask;
    private bool _isWatching;
    private TaskCompletionSource _moved = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public async ValueTask<Outcome<IPatternLease>> Follow(StreamPattern pattern, Action<FeedLease?> appeared)
    {
        var lease = new PatternLease(this, pattern, appeared, context.Options.PatternStreams);
        var matched = new List<FeedLease>();
        // Registered before looking, so that nothing opens unseen between the two.
        Add(lease);
        try
        {
            await foreach (var name in Stored(pattern))
            {
                var (taken, full) = await lease.Take(name, follow);
                if (taken is not null) matched.Add(taken);
                if (full) return Refuse(new Refusal(Streams.ErrorCode.InvalidInput,
                    $"The pattern {pattern.Text} matches more than {context.Options.PatternStreams} streams."));
            }
        }
        catch (LogUnavailableException)
        {
            return Refuse(new Refusal(Streams.ErrorCode.StoreUnavailable, "Storage does not answer.",
                TimeSpan.FromSeconds(1)));
        }
        await lease.Begin(matched, follow);
        return lease;

        Outcome<IPatternLease> Refuse(Refusal refusal)
        {
            lease.Dispose();
            foreach (var each in matched) each.Dispose();
            return refusal;
        }
    }

    /// <inheritdoc/>
    public void Advanced(StreamFeed feed) => Volatile.Read(ref _moved).TrySetResult();

    public async ValueTask DisposeAsync()
    {
        await _ending.CancelAsync();
        await _watching;
        _ending.Dispose();
    }

    private void Add(PatternLease lease)
    {
        lock (_lock)
        {
            _leases = [.. _leases, lease];
            if (_isWatching) return;
            _isWatching = true;
            _watching = Watch();
        }
    }

    private void Remove(PatternLease lease)
    {
        lock (_lock) _leases = [.. _leases.Where(each => each != lease)];
        Advanced(null!);
    }

    private async IAsyncEnumerable<string> Stored(StreamPattern pattern)
    {
        string? after = null;
        while (true)
        {
            var page = await context.Log.List(pattern.LiteralPrefix, after, TablePage);
            foreach (var stored in page)
                if (pattern.Matches(stored.Name)) yield return stored.Name;
            if (page.Count < TablePage) yield break;
            after = page[^1].Name;
        }
    }

    private bool IsStillWatched()
    {
        lock (_lock) return _isWatching = _leases.Length > 0 && !_ending.IsCancellationRequested;
    }

    private async Task Watch()
    {
        // Not on the thread, or in the lock, of who follows first.
        await Task.Yield();
        while (IsStillWatched())
        {
            var directory = await follow(StreamDirectory.Name);
            using var lease = directory.Value;
            lease?.Feed.Watch(this);
            await Reconcile();
            if (lease is not null) await Listen(lease.Feed);
            else await Task.Delay(context.Options.RetryEvery, context.Time);
            lease?.Feed.Unwatch(this);
        }
    }

    /// <summary>Offers what the directory tells until the table is to be looked at again.</summary>
    private async Task Listen(StreamFeed feed)
    {
        var reader = new FeedReader(feed.Head);
        using var round = CancellationTokenSource.CreateLinkedTokenSource(_ending.Token);
        var due = Task.Delay(context.Options.ReconcileEvery, context.Time, round.Token);
        while (!due.IsCompleted && _leases.Length > 0)
        {
            Volatile.Write(ref _moved, new(TaskCreationOptions.RunContinuationsAsynchronously));
            foreach (var name in Told(feed, ref reader)) await Offer(name);
            await Task.WhenAny(due, _moved.Task);
        }
        await round.CancelAsync();
    }

    private static List<string> Told(StreamFeed feed, ref FeedReader reader)
    {
        var names = new List<string>();
        while (true)
        {
            switch (feed.Read(ref reader, int.MaxValue, out var block))
            {
                case FeedRead.Nothing: return names;
                // The table will tell.
                case FeedRead.Behind: reader.MoveTo(feed.Overtaken(reader, GapReason.Slow)); continue;
            }
            using (block)
            {
                for (var i = 0; i < block.Count; i++) names.Add(StreamDirectory.Read(block.Frame(block[i]), block[i]));
                reader.Pass(block, block.Count);
            }
        }
    }

    private async Task Reconcile()
    {
        try
        {
            foreach (var lease in Volatile.Read(ref _leases))
                await foreach (var name in Stored(lease.Pattern))
                    await lease.Offer(name, follow);
        }
        catch (LogUnavailableException)
        {
            // The next round looks again.
        }
    }

    private async Task Offer(string name)
    {
        foreach (var lease in Volatile.Read(ref _leases)) await lease.Offer(name, follow);
    }

    private sealed class PatternLease(PatternFollowers followers, StreamPattern pattern, Action<FeedLease?> appeared,
        int most) : IPatternLease
    {
        private readonly Lock _lock = new();
        private readonly Dictionary<string, StreamFeed?> _held = new(StringComparer.Ordinal);
        // What is told while the streams that are there are being taken; null after.
        private List<string>? _later = [];
        private bool _told;
        private bool _isOver;

        public StreamPattern Pattern { get; } = pattern;

        public IReadOnlyList<FeedLease> Matched { get; private set; } = [];

        /// <summary>The streams that were there are taken; those that were told of meanwhile appear.</summary>
        public async ValueTask Begin(IReadOnlyList<FeedLease> matched,
            Func<string, ValueTask<Outcome<FeedLease>>> follow)
        {
            List<string> later;
            lock (_lock)
            {
                Matched = matched;
                (later, _later) = (_later!, null);
            }
            foreach (var name in later) await Offer(name, follow);
        }

        public void Dispose()
        {
            lock (_lock) _isOver = true;
            followers.Remove(this);
        }

        /// <summary>Takes a stream that matches and was not taken yet; null otherwise.</summary>
        public async ValueTask<(FeedLease? Lease, bool Full)> Take(string name,
            Func<string, ValueTask<Outcome<FeedLease>>> follow)
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
            var lease = (await follow(name)).Value;
            lock (_lock)
            {
                if (lease is null || _isOver)
                {
                    _held.Remove(name);
                    lease?.Dispose();
                    return default;
                }
                _held[name] = lease.Feed;
            }
            return (lease, false);
        }

        public async ValueTask Offer(string name, Func<string, ValueTask<Outcome<FeedLease>>> follow)
        {
            lock (_lock)
            {
                _later?.Add(name);
                if (_later is not null) return;
            }
            var (lease, full) = await Take(name, follow);
            if (lease is not null) appeared(lease);
            else if (full && !Interlocked.Exchange(ref _told, true)) appeared(null);
        }
    }
}
