using OrleansEvents.Streams;
using OrleansEvents.Tests.Streams;
using Xunit;

namespace OrleansEvents.Tests.Embedded;

/// <summary>A named subscriber: takes what it is owed, then the line, and acknowledges most of it.</summary>
internal sealed class SimulatedSubscriber(string stream, string name, Simulation simulation) : IFeedWatcher
{
    private readonly HashSet<long> _acknowledged = [];
    private readonly HashSet<long> _asked = [];
    private readonly HashSet<long> _seen = [];
    private readonly Dictionary<long, string> _ids = [];
    private TaskCompletionSource _moved = new();
    private bool _leaving;

    /// <summary>The head when it was registered: all critical events above it are owed.</summary>
    public long? Since { get; private set; }

    public int Acknowledged => _acknowledged.Count;

    public void Advanced(StreamFeed feed) => _moved.TrySetResult();

    public void Leave()
    {
        _leaving = true;
        _moved.TrySetResult();
    }

    public async Task Connect(int rounds)
    {
        _leaving = false;
        var followed = await simulation.Engine.Follow(stream);
        if (followed.Refusal is not null) return;
        using var lease = followed.Value!;
        var subscribed = await simulation.Engine.Subscribe(stream, name, SessionKind.Connection);
        if (subscribed.Refusal is not null) return;
        using var session = subscribed.Value!;
        Since ??= lease.Feed.Head;
        var through = lease.Feed.Head;
        session.Begin(through);
        var seen = new List<long>();
        if (!await TakeOwed(session, seen)) return;
        await Acknowledge(seen);
        await TakeLine(lease.Feed, session, through, rounds);
    }

    /// <summary>What is owed in the end: everything critical since it registered but what it acknowledged.</summary>
    public async Task CheckOwed()
    {
        if (Since is not { } since) return;
        var owed = new List<long>();
        long after = 0;
        while (true)
        {
            var page = await simulation.Engine.Pending(stream, name, after, 50);
            Assert.Null(page.Refusal);
            using var events = page.Value!.Events;
            for (var i = 0; i < events.Count; i++) owed.Add(events.Slots[i].Seq);
            after = page.Value.Cursor.Seq;
            if (!page.Value.More) break;
        }
        Assert.Empty(owed.Intersect(_acknowledged));
        var lost = simulation.Truth.CriticalOf(stream, since).Except(owed).Except(_acknowledged).Except(_asked);
        Assert.Empty(lost);
    }

    private async Task<bool> TakeOwed(ISubscriberSession session, List<long> seen)
    {
        while (true)
        {
            OwedPage page;
            try
            {
                page = await session.Take(20, 4000);
            }
            catch (LogUnavailableException)
            {
                return false;
            }
            using var events = page.Events;
            if (events.Count == 0) return true;
            foreach (ref readonly var slot in events.Slots) See(events.FrameOf(slot), slot, seen);
            session.Delivered([.. seen]);
        }
    }

    private async Task TakeLine(StreamFeed feed, ISubscriberSession session, long after, int rounds)
    {
        var reader = new FeedReader(after);
        feed.Watch(this);
        session.Woken = () => _moved.TrySetResult();
        while (rounds-- > 0 && !_leaving)
        {
            _moved = new();
            var seen = new List<long>();
            if (!await TakeOwed(session, seen)) break;
            if (!Take(feed, session, ref reader, seen)) await _moved.Task;
            session.Delivered(seen);
            await Acknowledge(seen);
        }
        feed.Unwatch(this);
    }

    private bool Take(StreamFeed feed, ISubscriberSession session, ref FeedReader reader, List<long> seen)
    {
        switch (feed.Read(ref reader, 4000, out var block))
        {
            case FeedRead.Nothing: return false;
            case FeedRead.Behind:
                var before = reader.Seq;
                reader.MoveTo(feed.Overtaken(before, GapReason.Slow).Seq);
                session.Jump(before, reader.Seq);
                return true;
        }
        using (block)
        {
            for (var i = 0; i < block.Count; i++)
            {
                var carry = LineCarry.Plain;
                session.OnLine(new(in block[i]), new(ref carry));
                if (carry != LineCarry.Owed) continue;
                See(block.Frame(block[i]), block[i], seen);
            }
            reader.Pass(block, block.Count);
        }
        return true;
    }

    private void See(ReadOnlySpan<byte> frame, in EventSlot slot, List<long> seen)
    {
        Assert.DoesNotContain(slot.Seq, _acknowledged);
        simulation.Saw(stream, slot, StreamUnderTest.DataOf(frame, slot));
        _ids[slot.Seq] = System.Text.Encoding.ASCII.GetString(frame.Slice(4, Cursor.TextLength));
        _seen.Add(slot.Seq);
        seen.Add(slot.Seq);
    }

    private async Task Acknowledge(List<long> seen)
    {
        var mine = seen.Where(_ => simulation.Random.Next(5) > 0).ToList();
        if (mine.Count == 0) return;
        var upTo = simulation.Random.Next(3) == 0;
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
}
