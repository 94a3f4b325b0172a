using Microsoft.Extensions.Logging;
using OrleansEvents.Grains.Interfaces;
using OrleansEvents.Grains.Taps;
using OrleansEvents.Streams;

namespace OrleansEvents.Grains.Nodes;

/// <summary>
/// Keeps a node's copy of one stream filled by one tap, for all who follow the stream there. It lives while it is
/// leased and for a while after; a stream that is deleted ends it at once, and the next to follow the stream gets
/// another.
/// </summary>
internal sealed class Replica : IHoldsMemory, ITapFollower, IAsyncDisposable
{
    private const int PageBytes = 1 << 20;

    private readonly NodeContext _context;
    private readonly StreamReplica _replica;
    private readonly Lock _leasing = new();
    private readonly Action<Replica> _over;
    private readonly TapEar _ear;
    private int _leases;
    private bool _isGone;
    private long _leftMs;
    private Task<Refusal?>? _coming;
    private readonly ReplicaLag _lag = new();

    public Replica(string stream, NodeContext context, Action<Replica> over)
    {
        (_context, _over, Stream) = (context, over, stream);
        _replica = new StreamReplica(new StreamFeed(stream, context.Memory));
        (_leftMs, LastActivityMs) = (context.Now.Ms, context.Now.Ms);
        _ear = new TapEar(context.Grains, stream, this, context.Time, context.Loggers.CreateLogger<Replica>());
    }

    public string Stream { get; }

    public StreamFeed Feed => _replica.Feed;

    public int Readers => Volatile.Read(ref _leases);

    /// <summary>Whether there is no such stream, as far as is known.</summary>
    public bool IsPlaceholder => Feed.History.Epoch == 0;

    public long LastActivityMs { get; private set; }

    public long HeldBytes => Feed.Bytes;

    int IHoldsMemory.BudgetPlace { get; set; }

    public TapLag Lag => _lag.At(_context.Now.Ms);

    /// <summary>Begins to listen. Once.</summary>
    public void Start()
    {
        lock (_leasing)
        {
            // Whoever looks for it finds it before, and may have let it go.
            if (_isGone) return;
            _context.Budget.Add(this);
        }
        _ear.Start();
    }

    /// <summary>A lease on the feed; null when the replica is over.</summary>
    public FeedLease? Lease()
    {
        lock (_leasing)
        {
            if (_isGone) return null;
            _leases++;
            return new FeedLease(Feed, LetGo);
        }
    }

    /// <summary>Whether nobody has followed it for so long; from then on nobody can.</summary>
    public bool TryLeave(TimeSpan idle)
    {
        lock (_leasing)
        {
            if (_leases > 0 || _context.Now.Ms - _leftMs < idle.TotalMilliseconds) return false;
            return _isGone = true;
        }
    }

    /// <summary>Comes to what the owner has now, so that whoever comes with a cursor that it was given anywhere finds
    /// it known here. One asking serves all who came before it began. Throws what Orleans throws.</summary>
    public Task<Refusal?> Come()
    {
        lock (_leasing)
        {
            // The one that is under way may have begun too early for who comes now; one that is to begin has not.
            if (_coming is { } next) return next;
            return _coming = Next();
        }

        async Task<Refusal?> Next()
        {
            await Task.Yield();
            return await _ear.Renew(atOnce: true, () =>
            {
                lock (_leasing) _coming = null;
            });
        }
    }

    /// <summary>Gives the ring's memory back, in a turn of its own.</summary>
    public void EvictAll() => _ = _ear.InTurn(_replica.EvictAll);

    public ValueTask DisposeAsync()
    {
        lock (_leasing) _isGone = true;
        _context.Budget.Remove(this);
        return _ear.DisposeAsync();
    }

    async Task ITapFollower.Heard(TapPush push)
    {
        using var events = push.Above(_replica.Position.Seq);
        push.Dense?.ReleaseRead();
        var goesOn = _replica.Push(new(push.Epoch, push.Previous, push.Head, push.ViewNo, push.View), events,
            _context.Now);
        if (!goesOn) await Fill(missed: true);
        Moved();
    }

    async Task ITapFollower.Renewed(TapLease lease, bool atOnce)
    {
        _replica.Tick(_context.Now);
        _lag.Answered(lease.Lease, _context.Now.Ms);
        var goesOn = _replica.Renewed(lease.Head, lease.ViewNo, atOnce);
        _lag.Is(_replica.Behind, _context.Now.Ms);
        if (goesOn) return;
        await Fill(missed: !atOnce);
        Moved();
    }

    private async Task Fill(bool missed)
    {
        var before = _replica.Position.Epoch;
        while (true)
        {
            var answer = await _ear.Owner.Fill(_replica.Position, PageBytes, dense: true);
            if (answer.Value is not { } page || answer.Refusal is not null) return;
            using var events = page.All();
            page.Dense?.ReleaseRead();
            _replica.Fill(new(page.Filling, page.After, page.Head, page.More, page.ViewNo, page.View), events,
                _context.Now);
            if (!page.More) break;
            Feed.Wake();
        }
        if (before == 0) return;
        if (before != _replica.Position.Epoch) _context.Counts.Add(ClusterCount.TapsReattached);
        else if (missed) _context.Counts.Add(ClusterCount.PushesMissed);
    }

    private void Moved()
    {
        _lag.Is(_replica.Behind, _context.Now.Ms);
        LastActivityMs = _context.Now.Ms;
        if (_replica.IsOver)
        {
            lock (_leasing) _isGone = true;
            _over(this);
        }
        Feed.Wake();
        if (_replica.IsOver) _replica.EvictAll();
        _context.Budget.Keep();
    }

    private void LetGo()
    {
        lock (_leasing)
        {
            _leases--;
            _leftMs = _context.Now.Ms;
        }
    }
}
