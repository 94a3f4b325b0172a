using OrleansEvents.Streams;
using OrleansEvents.Tests.Streams;
using Xunit;

namespace OrleansEvents.Tests.Embedded;

/// <summary>A named subscriber with a few connections at once: they take what it is owed, then the line, and
/// acknowledge most of it, refuse some, keep silent or leave in the middle. What is remembered here outlives the
/// server's process.</summary>
internal sealed class SimulatedSubscriber(string stream, string name, SubscriberMode mode, Simulation simulation)
{
    /// <summary>Acknowledged, and answered as stored.</summary>
    private readonly HashSet<long> _acknowledged = [];

    /// <summary>What an acknowledgement asked for: whether it happened is not known when it was not answered.</summary>
    private readonly HashSet<long> _asked = [];
    private readonly HashSet<long> _seen = [];
    private readonly Dictionary<long, string> _ids = [];
    private bool _isConfigured;

    public string Stream => stream;

    /// <summary>The head when it was registered: all critical events above it are owed.</summary>
    public long? Since { get; private set; }

    public int Acknowledged => _acknowledged.Count;

    public int Redelivered { get; private set; }

    public int Parked { get; private set; }

    /// <summary>Has its policy, which makes events come again soon and be parked soon.</summary>
    public async Task Configure()
    {
        if (_isConfigured) return;
        var json = mode == SubscriberMode.Compete
            ? """{"mode":"compete","ackWait":0.5,"backoff":[0.1,0.3],"maxAttempts":3,"maxInFlight":7}"""
            : """{"ackWait":1,"backoff":[0.2],"maxAttempts":2,"maxInFlight":30}""";
        var head = simulation.Truth.LastDurableOf(stream);
        var answer = await simulation.Engine.ConfigureSubscriber(stream, name,
            System.Text.Encoding.UTF8.GetBytes(json), CancellationToken.None);
        if (answer.Refusal is not null) return;
        Since ??= head;
        _isConfigured = true;
    }

    public async Task Connect(SimulatedConnection connection)
    {
        if (!_isConfigured) await Configure();
        if (!_isConfigured) return;
        var followed = await simulation.Engine.Follow(stream);
        if (followed.Refusal is not null) return;
        using var lease = followed.Value!;
        var subscribed = await simulation.Engine.Subscribe(stream, name, SessionKind.Connection);
        if (subscribed.Refusal is not null) return;
        using var session = subscribed.Value!;
        await connection.Read(lease.Feed, session);
    }

    /// <summary>An event has come to a connection.</summary>
    public void See(ReadOnlySpan<byte> frame, in EventSlot slot, int attempt)
    {
        Assert.False(_acknowledged.Contains(slot.Seq), $"{stream} {name}: {slot.Seq} came though it was acknowledged.");
        simulation.Saw(stream, slot, StreamUnderTest.DataOf(frame, slot));
        _ids[slot.Seq] = System.Text.Encoding.ASCII.GetString(frame.Slice(4, Cursor.TextLength));
        _seen.Add(slot.Seq);
        if (attempt > 1) Redelivered++;
    }

    public async Task Acknowledge(IReadOnlyList<long> seen)
    {
        var mine = seen.Where(_ => simulation.Random.Next(5) > 0).Distinct().ToList();
        if (mine.Count == 0) return;
        var upTo = mode == SubscriberMode.Broadcast && simulation.Random.Next(3) == 0;
        var request = upTo && Cursor.TryParse(_ids[mine[^1]], out var last)
            ? new AckRequest(null, last)
            : new AckRequest([.. mine.Select(seq => _ids[seq])], null);
        _asked.UnionWith(upTo ? _seen.Where(seq => seq <= mine[^1]) : mine);
        var answer = await simulation.Engine.Acknowledge(stream, name, request, CancellationToken.None);
        if (answer.Refusal is not null) return;
        foreach (var (id, result) in answer.Value!)
        {
            Assert.True(Cursor.TryParse(id, out var cursor));
            Assert.NotEqual(AckResult.Unknown, result);
            _acknowledged.Add(cursor.Seq);
        }
    }

    public async Task Nack(IReadOnlyList<long> seen)
    {
        var ids = seen.Where(_ => simulation.Random.Next(3) == 0).Select(seq => _ids[seq]).ToList();
        if (ids.Count == 0) return;
        TimeSpan? delay = simulation.Random.Next(2) == 0 ? null
            : TimeSpan.FromMilliseconds(simulation.Random.Next(500));
        await simulation.Engine.Nack(stream, name, new NackRequest(ids, delay), CancellationToken.None);
    }

    /// <summary>An operator puts dead letters back.</summary>
    public async Task Replay()
    {
        if (Since is not null) await simulation.Engine.ReplayDeadLetters(stream, name, null, CancellationToken.None);
    }

    /// <summary>What is left in the end: everything critical since it registered is owed, parked or
    /// acknowledged, each in one way.</summary>
    public async Task CheckOwed()
    {
        if (Since is not { } since) return;
        var owed = await List((after, limit) => simulation.Engine.Pending(stream, name, after, limit));
        var parked = await List((after, limit) => simulation.Engine.DeadLetters(stream, name, after, limit));
        Parked = parked.Count;
        Assert.Empty(owed.Intersect(_acknowledged));
        Assert.Empty(parked.Intersect(_acknowledged));
        Assert.Empty(owed.Intersect(parked));
        Assert.Empty(simulation.Truth.CriticalOf(stream, since).Except(owed).Except(parked).Except(_acknowledged)
            .Except(_asked));
        var described = (await simulation.Engine.DescribeSubscriber(stream, name)).Value!;
        Assert.Equal((owed.Count, parked.Count), (described.Pending, described.DeadLetters));
    }

    private static async Task<List<long>> List(Func<long, int, ValueTask<Outcome<SubscriberPage>>> list)
    {
        var seqs = new List<long>();
        long after = 0;
        while (true)
        {
            var page = await list(after, 50);
            Assert.Null(page.Refusal);
            using var events = page.Value!.Events;
            for (var i = 0; i < events.Count; i++) seqs.Add(events.Slots[i].Seq);
            if (!page.Value.More || page.Value.Cursor.Seq == after) return seqs;
            after = page.Value.Cursor.Seq;
        }
    }
}
