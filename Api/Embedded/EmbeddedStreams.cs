using System.Collections.Concurrent;
using OrleansEvents.Api.Metrics;
using OrleansEvents.Streams;

namespace OrleansEvents.Api.Embedded;

/// <summary>The engine of one process: a host for every stream that is open or waited for, over one log.</summary>
internal sealed partial class EmbeddedStreams : IEventStreams, IAsyncDisposable
{
    private readonly ConcurrentDictionary<string, StreamHost> _hosts = new(StringComparer.Ordinal);
    private readonly EngineContext _context;
    private readonly EngineLimits _limits;
    private readonly Deadlines _deadlines;
    private readonly PatternFollowers _patterns;
    private int _evicting;

    public EmbeddedStreams(EngineContext context, EngineLimits limits)
    {
        (_context, _limits) = (context, limits);
        _deadlines = new Deadlines(context.Time);
        _patterns = new PatternFollowers(limits.PatternStreams);
        if (context.Meter is { } meter)
        {
            meter.StreamsOpen = () => _hosts.Values.Count(host => host.IsOpen);
            meter.Subscribers = () => context.Totals.Now;
            meter.BufferBytes = () => context.Memory.Used;
            meter.IsStoreDown = () => context.Circuit.IsOpen;
        }
        context.Circuit.Changed += failure =>
        {
            if (failure is null) _ = Recover();
        };
    }

    public ValueTask<Outcome<Published>> Publish(string stream, ReadOnlyMemory<NewEvent> events,
        List<PublishedEvent>? each, CancellationToken cancel)
    {
        var host = Host(stream);
        var result = host.TryAppend(events.Span, each);
        if (_context.Memory.Used > _limits.MemoryBytes) EvictIdlest();
        return result is { Refusal: null, Pending: null, AwaitFirst: null } done
            ? ValueTask.FromResult<Outcome<Published>>(done.Published)
            : Finish(stream, host, result, events, each, cancel);
    }

    public async ValueTask<Outcome<FeedLease>> Follow(string stream)
    {
        while (true)
        {
            var host = Host(stream);
            if (!host.IsOpen && _hosts.Count > _limits.Streams + _limits.Placeholders) return TooMany(host);
            await host.EnsureOpen(create: false);
            if (host.Lease() is { } lease) return lease;
            await Leaving(host);
        }
    }

    public async ValueTask<Outcome<IPatternLease>> FollowPattern(StreamPattern pattern, Action<FeedLease?> appeared)
    {
        // Registered before looking, so that nothing opens unseen between the two.
        var lease = _patterns.Add(pattern, appeared);
        var matched = new List<FeedLease>();
        try
        {
            string? after = null;
            while (true)
            {
                var page = await _context.Log.List(pattern.LiteralPrefix, after, _limits.PatternStreams);
                foreach (var stored in page.Where(each => pattern.Matches(each.Name)))
                {
                    var (taken, full) = await Take(lease, stored.Name);
                    if (taken is not null) matched.Add(taken);
                    if (full) return Refuse(new Refusal(ErrorCode.InvalidInput,
                        $"The pattern {pattern} matches more than {_limits.PatternStreams} streams."));
                }
                if (page.Count < _limits.PatternStreams) break;
                after = page[^1].Name;
            }
        }
        catch (LogUnavailableException)
        {
            _context.Meter?.ReadErrors.One("of", "storage");
            return Refuse(StoreCircuit.Refusal);
        }
        lease.Matched = matched;
        return lease;

        Outcome<IPatternLease> Refuse(Refusal refusal)
        {
            lease.Dispose();
            foreach (var each in matched) each.Dispose();
            return refusal;
        }
    }

    public async ValueTask<Outcome<EventRun>> ReadStored(string stream, long after, int maxEvents, int maxBytes)
    {
        var (id, through) = (0L, 0L);
        // Asked before reading: what storage has beyond may be made void meanwhile.
        if (await Ask(stream, open => (id, through) = (open.Handle.Id, open.ReadableThrough)) is { } refused)
            return refused;
        try
        {
            var run = await _context.Log.Read(id, after, maxEvents, maxBytes);
            run.TruncateAfter(through);
            return run;
        }
        catch (LogUnavailableException)
        {
            _context.Meter?.ReadErrors.One("of", "storage");
            return new Refusal(ErrorCode.StoreUnavailable, "Storage does not answer.", TimeSpan.FromSeconds(1));
        }
    }

    /// <summary>Closes every stream gracefully.</summary>
    public async ValueTask DisposeAsync()
    {
        await Task.WhenAll(_hosts.Values.Select(host => host.Close()));
        _deadlines.Dispose();
    }

    private async ValueTask<Outcome<Published>> Finish(string stream, StreamHost host, AppendResult? result,
        ReadOnlyMemory<NewEvent> events, List<PublishedEvent>? each, CancellationToken cancel)
    {
        while (true)
        {
            if (result is null)
            {
                (host, var refusal) = await Open(stream, create: true);
                if (refusal is { } refused) return refused;
                each?.Clear();
                result = host.TryAppend(events.Span, each);
                continue;
            }
            var append = result.Value;
            if (append.Refusal is { } why) return why;
            if (append.AwaitFirst is { } first)
            {
                await first.Outcome.WaitAsync(cancel);
                result = null;
                continue;
            }
            if (append.Pending is null || await append.Pending.Outcome.WaitAsync(cancel)) return append.Published;
            return new Refusal(ErrorCode.StoreUnavailable, "Storage did not take the events.", TimeSpan.FromSeconds(1));
        }
    }

    private StreamHost Host(string stream)
    {
        while (true)
        {
            if (_hosts.TryGetValue(stream, out var host)) return host;
            var created = new StreamHost(stream, _context, _deadlines, Gone, _patterns.Opened,
                (name, subscriber) => PushWanted?.Invoke(name, subscriber));
            if (_hosts.TryAdd(stream, created)) return created;
            created.Dispose();
        }
    }

    private void Gone(StreamHost host) => _hosts.TryRemove(new(host.Name, host));

    /// <summary>A host whose stream is open, or why there is none. A host that was made for nothing is
    /// dropped.</summary>
    private async ValueTask<(StreamHost Host, Refusal? Refusal)> Open(string stream, bool create)
    {
        while (true)
        {
            var host = Host(stream);
            if (create && !host.IsOpen && _hosts.Count > _limits.Streams) return (host, TooMany(host).Refusal);
            switch (await host.EnsureOpen(create))
            {
                case Opening.Open: return (host, null);
                case Opening.Absent:
                    host.Lease()?.Dispose();
                    return (host, NoStream(stream));
                case Opening.StoreDown:
                    host.Lease()?.Dispose();
                    return (host, StoreCircuit.Refusal);
                case Opening.Gone:
                    await Leaving(host);
                    break;
            }
        }
    }

    /// <summary>Acts on an open stream, which is not unloaded meanwhile.</summary>
    private async ValueTask<Outcome<T>> Hold<T>(string stream, bool create, Func<StreamHost, ValueTask<Outcome<T>>> act)
    {
        while (true)
        {
            var (host, refusal) = await Open(stream, create);
            if (refusal is { } refused) return refused;
            if (!host.TryHold())
            {
                await Leaving(host);
                continue;
            }
            try
            {
                return await act(host);
            }
            finally
            {
                host.LetGo();
            }
        }
    }

    private static Refusal NoStream(string stream) => new(ErrorCode.NotFound, $"There is no stream {stream}.");

    /// <summary>Looks at an open stream; a refusal when there is none.</summary>
    private async ValueTask<Refusal?> Ask(string stream, Action<EventStream> look)
    {
        while (true)
        {
            var (host, refusal) = await Open(stream, create: false);
            if (refusal is not null || host.Ask(look)) return refusal;
        }
    }

    private async ValueTask<(FeedLease? Lease, bool Full)> Take(PatternFollowers.PatternLease pattern, string stream)
    {
        while (true)
        {
            var host = Host(stream);
            if (await host.EnsureOpen(create: false) == Opening.Gone)
            {
                await Leaving(host);
                continue;
            }
            var taken = pattern.Take(host, out var full);
            // A host that was made for nothing is dropped.
            if (taken is null) host.Lease()?.Dispose();
            return (taken, full);
        }
    }

    private static Task Leaving(StreamHost host) =>
        // It is removed from the table within the same step in which it is marked: only the thread must be let go.
        host.IsGone ? Task.CompletedTask : host.Left();

    private Outcome<FeedLease> TooMany(StreamHost host)
    {
        host.Lease()?.Dispose();
        return new Refusal(ErrorCode.RateLimited, $"The server has {_limits.Streams} streams open, its most.",
            TimeSpan.FromSeconds(10));
    }

    private async Task Recover()
    {
        foreach (var host in _hosts.Values) await host.StoreRecovered();
        await Wake();
    }

    /// <summary>Takes the rings of the streams that were idle longest, until nine tenths of the budget are
    /// used.</summary>
    private void EvictIdlest()
    {
        if (Interlocked.Exchange(ref _evicting, 1) != 0) return;
        try
        {
            var target = _limits.MemoryBytes / 10 * 9;
            foreach (var host in _hosts.Values.Where(each => each.Feed.Count > 0).OrderBy(each => each.LastActivityMs))
            {
                if (_context.Memory.Used <= target) break;
                host.EvictAll();
            }
        }
        finally
        {
            Volatile.Write(ref _evicting, 0);
        }
    }
}
