using System.Text;
using OrleansEvents.Grains.Interfaces;
using OrleansEvents.Grains.Nodes;
using OrleansEvents.Streams;

namespace OrleansEvents.Tests.Cluster;

/// <summary>An event that a reader was given: the number in its data, its id, and which delivery it was (0: of the
/// line, not owed).</summary>
internal readonly record struct Carried(int Number, string Id, int Attempt);

/// <summary>Reads a stream on behalf of a subscriber at one node, as a connection does: what is owed beside the line,
/// the line from the stream's owner.</summary>
internal sealed class SubscriberReader : IAsyncDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly ClusterStreams _node;
    private readonly IStreamGrain _stream;
    private readonly string _name;
    private readonly string _subscriber;
    private readonly Lock _lock = new();
    private readonly List<Carried> _given = [];
    private readonly Task _reading;
    private volatile bool _mayTake = true;
    private volatile string _doing = "";

    public SubscriberReader(TwoSilos cluster, int node, string stream, string subscriber,
        Func<Carried, bool>? acknowledges = null)
    {
        (_node, _name, _subscriber) = (cluster.Node(node), stream, subscriber);
        _stream = cluster.Through(node).GetGrain<IStreamGrain>(stream);
        Acknowledges = acknowledges ?? (static _ => false);
        _reading = Task.Run(Read);
    }

    /// <summary>Whether the reader acknowledges an event at once.</summary>
    public Func<Carried, bool> Acknowledges { get; set; }

    /// <summary>Numbers of which an acknowledgement was answered.</summary>
    public HashSet<int> Acknowledged { get; } = [];

    /// <summary>What was wrong: an event came again after its acknowledgement had been answered.</summary>
    public List<string> Wrong { get; } = [];

    public ISubscriberSession? Session { get; private set; }

    public Carried[] Events
    {
        get
        {
            lock (_lock) return [.. _given];
        }
    }

    public int[] Numbers => [.. Events.Select(each => each.Number)];

    public async Task<Carried> Has(int number, int attempt = 0)
    {
        await Given.Until(() =>
        {
            if (_reading.IsFaulted) throw _reading.Exception!;
            return Task.FromResult(Events.Any(each => each.Number == number && each.Attempt >= attempt));
        });
        return Events.First(each => each.Number == number && each.Attempt >= attempt);
    }

    /// <summary>For a test that fails.</summary>
    public override string ToString() =>
        $"{_doing} mayTake {_mayTake} over {Session?.IsOver} pending {Session?.PendingCount} more {Session?.HasMore}: "
        + string.Join(" ", Events.Select(each => $"{each.Number}/{each.Attempt}"));

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _reading.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stop.Dispose();
    }

    private async Task Read()
    {
        using var session = await Subscribe();
        if (session is null) return;
        Session = session;
        session.Woken = () => _mayTake = true;
        var position = await Try(async () => (await _stream.Describe()).Ok().Head);
        session.Begin(position.Seq);
        while (!_stop.IsCancellationRequested && !session.IsOver)
        {
            while (_mayTake && await Take(session))
            {
            }
            var read = await Try(async () => (await _stream.Read(ReadFrom.After(position), 100, 1 << 20)).Ok());
            if (read is null) break;
            using var run = read.Events.Above(0);
            // The buffer has passed the line: what is owed between comes beside it.
            if (read.Gap is { } gap)
            {
                session.Jump(position.Seq, gap.ResumedAt.Seq);
                _mayTake = true;
            }
            await Line(session, run);
            position = read.Cursor;
            if (run.Count == 0) await Task.Delay(10);
        }
    }

    private async Task<ISubscriberSession?> Subscribe() => await Try(async () =>
    {
        var begun = await _node.Subscribe(_name, _subscriber, SessionKind.Connection);
        return begun.Refusal is null ? begun.Value : throw new TimeoutException(begun.Refusal.Value.Detail);
    });

    private async Task<bool> Take(ISubscriberSession session)
    {
        _mayTake = false;
        OwedPage page;
        try
        {
            _doing = "takes";
            page = await session.Take(50, 1 << 20);
            _doing = "";
        }
        catch (LogUnavailableException)
        {
            await Task.Delay(20);
            return _mayTake = true;
        }
        using var events = page.Events;
        await See(session, events, i => page.Attempts[i]);
        return events.Count > 0 && (_mayTake = true);
    }

    private async Task Line(ISubscriberSession session, EventRun run)
    {
        if (run.Count == 0) return;
        var slots = run.Slots.ToArray();
        _doing = $"asks for {slots[0].Seq} to {slots[^1].Seq}";
        await session.Ask(slots);
        _doing = "";
        var carry = new LineCarry[slots.Length];
        session.OnLine(slots, carry);
        await See(session, run, i => carry[i] switch { LineCarry.Owed => 1, LineCarry.Plain => 0, _ => -1 });
    }

    private async Task See(ISubscriberSession session, EventRun run, Func<int, int> attemptOf)
    {
        var seqs = new List<long>();
        var seen = new List<Carried>();
        var numbers = Given.Numbers(run);
        for (var i = 0; i < run.Count; i++)
        {
            var attempt = attemptOf(i);
            if (attempt < 0) continue;
            var slot = run.Slots[i];
            var id = Encoding.ASCII.GetString(run.FrameOf(slot).Slice(4, Cursor.TextLength));
            seen.Add(new Carried(numbers[i], id, attempt));
            if (attempt > 0) seqs.Add(slot.Seq);
        }
        if (seen.Count == 0) return;
        if (seqs.Count > 0) session.GoingOut(seqs);
        lock (_lock)
        {
            Wrong.AddRange(seen.Where(each => Acknowledged.Contains(each.Number))
                .Select(each => $"{each.Number} came again, attempt {each.Attempt}"));
            _given.AddRange(seen);
        }
        if (seqs.Count > 0) session.Delivered(seqs);
        foreach (var each in seen.Where(each => each.Attempt > 0 && Acknowledges(each))) await Acknowledge(each);
    }

    /// <summary>Until it is answered.</summary>
    private async Task Acknowledge(Carried given)
    {
        _doing = $"acknowledges {given.Number}";
        while (!_stop.IsCancellationRequested)
        {
            var done = await _node.Acknowledge(_name, _subscriber, new AckRequest([given.Id], null), default);
            if (done.Refusal is null)
            {
                lock (_lock) Acknowledged.Add(given.Number);
                _doing = "";
                return;
            }
            await Task.Delay(50);
        }
    }

    private async Task<T?> Try<T>(Func<Task<T>> call)
    {
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                return await call();
            }
            catch (Exception e) when (e is OrleansException or TimeoutException or Xunit.Sdk.XunitException)
            {
                await Task.Delay(50);
            }
        }
        return default;
    }
}
