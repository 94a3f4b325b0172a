using System.Security.Cryptography;
using OrleansEvents.Grains.Interfaces;
using OrleansEvents.Streams;

namespace OrleansEvents.Grains.Nodes;

/// <summary>The sessions of a node's readers: one ear for all, and one clock that asks for what was not
/// heard.</summary>
internal sealed class ClusterSessions : ISessionListener, IAsyncDisposable
{
    private static readonly TimeSpan s_tick = TimeSpan.FromMilliseconds(250);

    private readonly Lock _gate = new();
    private readonly Dictionary<(string Stream, string Subscriber), List<ClusterSession>> _sessions = [];
    private readonly NodeContext _context;
    private readonly PeriodicTimer _timer;
    private readonly Task _ticking;
    private ISessionListener? _self;

    public ClusterSessions(NodeContext context)
    {
        _context = context;
        _timer = new PeriodicTimer(s_tick, context.Time);
        _ticking = Tick();
    }

    public NodeOptions Options => _context.Options;

    public TimeProvider Time => _context.Time;

    public Instant Now => _context.Now;

    private ISessionListener Self
    {
        get
        {
            lock (_gate) return _self ??= _context.Grains.CreateObjectReference<ISessionListener>(this);
        }
    }

    /// <summary>Begins a session; null for a subscriber that was removed.</summary>
    public async Task<Outcome<ISubscriberSession?>> Begin(string stream, string subscriber, SessionKind kind,
        ISubscriberGrain grain, long head)
    {
        // What a poll before it was told must not be told again.
        await Flush(stream, subscriber);
        var id = BitConverter.ToInt64(RandomNumberGenerator.GetBytes(8));
        var begun = await grain.Attach(new AttachRequest(id, (int)kind, Self, null, IsAgain: false, head));
        if (begun.Refusal is { } refused) return refused;
        if (begun.Value is not { } attached) return Outcome.Of<ISubscriberSession?>(null);
        var session = new ClusterSession(this, stream, subscriber, kind, grain, id, attached);
        lock (_gate)
        {
            if (!_sessions.TryGetValue((stream, subscriber), out var all))
                _sessions.Add((stream, subscriber), all = []);
            all.Add(session);
        }
        return Outcome.Of<ISubscriberSession?>(session);
    }

    /// <summary>Begins a session again.</summary>
    public Task<Outcome<AttachedSession?>> Attach(ClusterSession session, long id, long? through) =>
        _context.Grains.GetGrain<ISubscriberGrain>($"{session.Stream}/{session.Subscriber}")
            .Attach(new AttachRequest(id, (int)session.Kind, Self, through, IsAgain: true, Head: 0));

    public void Remove(ClusterSession session)
    {
        lock (_gate)
        {
            if (!_sessions.TryGetValue((session.Stream, session.Subscriber), out var all)) return;
            all.Remove(session);
            if (all.Count == 0) _sessions.Remove((session.Stream, session.Subscriber));
        }
    }

    /// <summary>Completes when the grain knows what this node's readers of a subscriber have been given.</summary>
    public async Task Flush(string stream, string subscriber)
    {
        Task[] flushing;
        lock (_gate)
        {
            if (!_sessions.TryGetValue((stream, subscriber), out var all)) return;
            flushing = [.. all.Select(session => session.Flush())];
        }
        var flushed = Task.WhenAll(flushing);
        if (!flushed.IsCompleted) await Task.WhenAny(flushed, Task.Delay(Options.RetryFor, Time));
    }

    /// <inheritdoc/>
    public Task Woken(long session, SessionStatus status)
    {
        foreach (var each in All()) each.Hear(session, status);
        return Task.CompletedTask;
    }

    public async ValueTask DisposeAsync()
    {
        _timer.Dispose();
        await _ticking;
        var all = All();
        foreach (var session in all) session.Dispose();
        await Task.WhenAny(Task.WhenAll(all.Select(session => session.Flush())), Task.Delay(Options.RetryFor, Time));
    }

    private List<ClusterSession> All()
    {
        lock (_gate) return [.. _sessions.Values.SelectMany(all => all)];
    }

    private async Task Tick()
    {
        while (await _timer.WaitForNextTickAsync())
            foreach (var session in All()) session.Refresh();
    }
}
