using Microsoft.Extensions.Logging;
using OrleansEvents.Streams;

namespace OrleansEvents.Grains.Nodes;

/// <summary>
/// Who follows patterns on this node. While anybody does, the node reads what owners say on the directory's stream,
/// and every few seconds looks at the streams' table for what it was not told.
/// </summary>
internal sealed partial class PatternFollowers(NodeContext context, Func<string, ValueTask<Outcome<FeedLease>>> follow)
    : IFeedWatcher, IAsyncDisposable
{
    private const int TablePage = 1000;

    private static readonly ParallelOptions s_atOnce = new() { MaxDegreeOfParallelism = 64 };

    private readonly ILogger _logger = context.Loggers.CreateLogger<PatternFollowers>();
    private readonly Lock _lock = new();
    private readonly CancellationTokenSource _ending = new();
    private PatternLease[] _leases = [];
    private Task _watching = Task.CompletedTask;
    private bool _isWatching;
    private TaskCompletionSource _moved = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public async ValueTask<Outcome<IPatternLease>> Follow(StreamPattern pattern, Action<FeedLease?> appeared)
    {
        var lease = new PatternLease(this, pattern, follow, appeared, context.Options.PatternStreams);
        var (matched, isFull) = (new List<FeedLease>(), false);
        // Registered before looking, so that nothing opens unseen between the two.
        Add(lease);
        try
        {
            await Parallel.ForEachAsync(Stored(pattern).TakeWhile(_ => !isFull), s_atOnce, async (name, _) =>
            {
                var (taken, full) = await lease.Take(name);
                if (full) isFull = true;
                if (taken is null) return;
                lock (matched) matched.Add(taken);
            });
        }
        catch (LogUnavailableException)
        {
            return Refuse(new Refusal(Streams.ErrorCode.StoreUnavailable, "Storage does not answer.",
                TimeSpan.FromSeconds(1)));
        }
        if (isFull) return Refuse(new Refusal(Streams.ErrorCode.InvalidInput,
            $"The pattern {pattern.Text} matches more than {context.Options.PatternStreams} streams."));
        matched.Sort(static (one, other) => string.CompareOrdinal(one.Feed.Stream, other.Feed.Stream));
        await lease.Begin(matched);
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

    public void Remove(PatternLease lease)
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
            try
            {
                await WatchOnce();
                continue;
            }
#pragma warning disable CA1031 // Whatever a round fails of, readers of patterns must not be deaf from then on.
            catch (Exception e)
#pragma warning restore CA1031
            {
                if (!_ending.IsCancellationRequested) NotWatched(_logger, e);
            }
            await Pause();
        }
    }

    /// <summary>Offers what the table has, and then what the directory tells until the table is to be looked at
    /// again.</summary>
    private async Task WatchOnce()
    {
        using var lease = (await follow(StreamDirectory.Name)).Value;
        // From before the table is read: what is opened after that is told behind this.
        var reader = new FeedReader(lease?.Feed.Head ?? 0);
        lease?.Feed.Watch(this);
        try
        {
            await Reconcile();
            if (lease is null || !await Listen(lease.Feed, reader)) await Pause();
        }
        finally
        {
            lease?.Feed.Unwatch(this);
        }
    }

    private Task Pause() => Task.Delay(context.Options.RetryEvery, context.Time);

    /// <summary>False: the directory has told more than its buffer holds; the table must be looked at now.</summary>
    private async Task<bool> Listen(StreamFeed feed, FeedReader reader)
    {
        using var round = CancellationTokenSource.CreateLinkedTokenSource(_ending.Token);
        var due = Task.Delay(context.Options.ReconcileEvery, context.Time, round.Token);
        var isWhole = true;
        while (isWhole && !due.IsCompleted && _leases.Length > 0)
        {
            Volatile.Write(ref _moved, new(TaskCreationOptions.RunContinuationsAsynchronously));
            (var names, isWhole) = Told(feed, ref reader);
            await Offer(names);
            if (isWhole) await Task.WhenAny(due, _moved.Task);
        }
        await round.CancelAsync();
        return isWhole;
    }

    /// <summary>The names that were told since, each once: what is found of a stream is what it is by then.</summary>
    private static (HashSet<string> Names, bool IsWhole) Told(StreamFeed feed, ref FeedReader reader)
    {
        var names = new HashSet<string>(StringComparer.Ordinal);
        while (true)
        {
            switch (feed.Read(ref reader, int.MaxValue, out var block))
            {
                case FeedRead.Nothing: return (names, true);
                case FeedRead.Behind: return (names, false);
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
            foreach (var alike in Volatile.Read(ref _leases).GroupBy(lease => lease.Pattern.Text))
                await Parallel.ForEachAsync(Stored(alike.First().Pattern), s_atOnce,
                    async (name, _) => await Offer(name, alike));
        }
        catch (LogUnavailableException)
        {
            // The next round looks again.
        }
    }

    private Task Offer(HashSet<string> names) => names.Count == 0 ? Task.CompletedTask
        : Parallel.ForEachAsync(names, s_atOnce, async (name, _) => await Offer(name, Volatile.Read(ref _leases)));

    private static Task Offer(string name, IEnumerable<PatternLease> leases) =>
        Task.WhenAll(leases.Select(lease => lease.Offer(name).AsTask()));

    [LoggerMessage(EventIds.PatternsNotWatched, LogLevel.Error,
        "Which streams have appeared for patterns could not be told; it is tried again")]
    private static partial void NotWatched(ILogger logger, Exception failure);
}
