using System.Collections.Concurrent;
using OrleansEvents.Grains.Interfaces;
using OrleansEvents.Streams;

namespace OrleansEvents.Grains.Nodes;

/// <summary>
/// The engine of a cluster's node. Every stream's owner is a grain somewhere: publishing goes there, and reading is
/// from the node's own copy of the owner's buffer, one for each stream that is followed here.
/// </summary>
public sealed partial class ClusterStreams : IEventStreams, IAsyncDisposable
{
    private static readonly TimeSpan SweepEvery = TimeSpan.FromSeconds(1);

    private int _isDisposed;
    private readonly ConcurrentDictionary<string, Replica> _replicas = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, Outbox> _outboxes = new(StringComparer.Ordinal);
    private readonly NodeContext _context;
    private readonly PatternFollowers _patterns;
    private readonly PeriodicTimer _sweeps;
    private readonly Task _sweeping;
    private int _placeholders;

    internal ClusterStreams(NodeContext context)
    {
        _context = context;
        _sessions = new(() => new ClusterSessions(context));
        _patterns = new PatternFollowers(context, Follow);
        _sweeps = new PeriodicTimer(SweepEvery, context.Time);
        _sweeping = Sweep();
    }

    /// <inheritdoc/>
    public async ValueTask<Outcome<Published>> Publish(string stream, ReadOnlyMemory<NewEvent> events,
        List<PublishedEvent>? each, CancellationToken cancel)
    {
        while (true)
        {
            var outbox = _outboxes.GetOrAdd(stream, static (name, node) => new Outbox(node.Owner(name), node._context),
                this);
            if (outbox.Publish(events, each is not null, cancel) is not { } publishing)
            {
                _outboxes.TryRemove(new(stream, outbox));
                continue;
            }
            var answer = await publishing;
            if (answer.Refusal is { } refused) return refused;
            each?.AddRange(answer.Value!.Each!);
            return answer.Value!.Published;
        }
    }

    /// <inheritdoc/>
    public async ValueTask<Outcome<FeedLease>> Follow(string stream)
    {
        while (true)
        {
            if (ReplicaOf(stream) is not { } replica) return TooManyStreams;
            if (replica.Lease() is not { } lease)
            {
                _replicas.TryRemove(new(stream, replica));
                continue;
            }
            var refused = await Come(replica);
            // Without storage its owner cannot open it: readers wait, as for one that is absent.
            if (refused is { Code: not Streams.ErrorCode.StoreUnavailable } || refused == Transient.Unreachable
                || (refused = TooMany(replica)) is not null)
            {
                lease.Dispose();
                return refused!.Value;
            }
            return lease;
        }
    }

    /// <inheritdoc/>
    public ValueTask<Outcome<IPatternLease>> FollowPattern(StreamPattern pattern, Action<FeedLease?> appeared) =>
        _patterns.Follow(pattern, appeared);

    /// <inheritdoc/>
    public async ValueTask<Outcome<EventRun>> ReadStored(string stream, long after, int maxEvents, int maxBytes)
    {
        var read = await _context.Ask(() => Owner(stream).ReadStored(after, maxEvents, maxBytes));
        return read.Refusal is { } refused ? refused : read.Value!.Above(after);
    }

    /// <summary>Ends what the node follows; once is enough.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _isDisposed, 1) != 0) return;
        _sweeps.Dispose();
        await _sweeping;
        await _patterns.DisposeAsync();
        await Task.WhenAll(_replicas.Values.Select(replica => replica.DisposeAsync().AsTask()));
        if (_sessions.IsValueCreated) await _sessions.Value.DisposeAsync();
    }

    private IStreamGrain Owner(string stream) => _context.Grains.GetGrain<IStreamGrain>(stream);

    private Replica? ReplicaOf(string stream)
    {
        while (true)
        {
            if (_replicas.TryGetValue(stream, out var replica)) return replica;
            if (_replicas.Count >= _context.Options.Streams + _context.Options.Placeholders) return null;
            var made = new Replica(stream, _context, Over);
            if (!_replicas.TryAdd(stream, made)) continue;
            // One that waits, until it is known better.
            Interlocked.Increment(ref _placeholders);
            made.Start();
            return made;
        }
    }

    private void Over(Replica replica)
    {
        if (_replicas.TryRemove(new(replica.Stream, replica))) _ = replica.DisposeAsync().AsTask();
    }

    private async Task<Refusal?> Come(Replica replica) =>
        (await _context.Ask(async () => await replica.Come() is { } refused ? refused : new Outcome<bool>())).Refusal;

    private Refusal? TooMany(Replica replica) =>
        replica.IsPlaceholder && Volatile.Read(ref _placeholders) > _context.Options.Placeholders
            ? TooManyStreams
            : null;

    private Refusal TooManyStreams => new(Streams.ErrorCode.RateLimited, $"The node follows {_context.Options.Streams} "
        + $"streams, or waits for {_context.Options.Placeholders}, its most.", TimeSpan.FromSeconds(10));

    /// <summary>Lets go what nobody uses.</summary>
    private async Task Sweep()
    {
        while (await _sweeps.WaitForNextTickAsync())
        {
            var placeholders = 0;
            foreach (var replica in _replicas.Values)
            {
                // One that only waited is wanted by nobody: the next to ask finds out anew.
                var idle = replica.IsPlaceholder ? TimeSpan.Zero : _context.Options.LetGoAfter;
                if (replica.TryLeave(idle)) Over(replica);
                else if (replica.IsPlaceholder) placeholders++;
            }
            Volatile.Write(ref _placeholders, placeholders);
            foreach (var (stream, outbox) in _outboxes)
                if (outbox.TryClose()) _outboxes.TryRemove(new(stream, outbox));
        }
    }
}
