using OrleansEvents.Streams;
using Xunit;

namespace OrleansEvents.Tests.Embedded;

/// <summary>One of a subscriber's connections.</summary>
internal sealed class SimulatedConnection(SimulatedSubscriber subscriber, Simulation simulation) : IFeedWatcher
{
    /// <summary>What this connection was given, as which delivery.</summary>
    private readonly Dictionary<long, int> _given = [];
    private TaskCompletionSource _moved = new();
    private bool _isLeaving;

    public void Advanced(StreamFeed feed) => _moved.TrySetResult();

    public void Leave()
    {
        _isLeaving = true;
        _moved.TrySetResult();
    }

    public Task Connect()
    {
        _isLeaving = false;
        _given.Clear();
        return subscriber.Connect(this);
    }

    public async Task Read(StreamFeed feed, ISubscriberSession session)
    {
        var reader = new FeedReader(feed.Head);
        session.Begin(feed.Head);
        feed.Watch(this);
        session.Woken = () => _moved.TrySetResult();
        for (var rounds = simulation.Random.Next(30); rounds > 0 && !_isLeaving && !session.IsOver; rounds--)
        {
            _moved = new();
            var seen = new List<long>();
            if (!await TakeOwed(session, seen)) break;
            var hasMoved = Take(feed, session, ref reader, seen);
            // It may leave, or storage may hear of the acknowledgement, before the bytes are known to have gone out.
            if (simulation.Random.Next(8) == 0) await Answer(seen);
            if (_isLeaving) break;
            session.Delivered(seen);
            await Answer(seen);
            if (!hasMoved && seen.Count == 0) await _moved.Task;
        }
        feed.Unwatch(this);
    }

    private Task Answer(List<long> seen) => simulation.Random.Next(10) switch
    {
        < 6 => subscriber.Acknowledge(seen),
        < 8 => subscriber.Nack(seen),
        _ => Task.CompletedTask,
    };

    private async Task<bool> TakeOwed(ISubscriberSession session, List<long> seen)
    {
        while (true)
        {
            OwedPage page;
            try
            {
                page = await session.Take(1 + simulation.Random.Next(20), 4000);
            }
            catch (LogUnavailableException)
            {
                return false;
            }
            using var events = page.Events;
            if (events.Count == 0 || _isLeaving) return events.Count == 0;
            for (var i = 0; i < events.Count; i++)
                See(events.FrameOf(events.Slots[i]), events.Slots[i], page.Attempts[i], seen);
        }
    }

    private bool Take(StreamFeed feed, ISubscriberSession session, ref FeedReader reader, List<long> seen)
    {
        switch (feed.Read(ref reader, 4000, out var block))
        {
            case FeedRead.Nothing: return false;
            case FeedRead.Behind:
                var before = reader.Seq;
                reader.MoveTo(feed.Overtaken(reader, GapReason.Slow));
                session.Jump(before, reader.Seq);
                return true;
        }
        using (block)
        {
            for (var i = 0; i < block.Count; i++)
            {
                var carry = LineCarry.Plain;
                session.OnLine(new(in block[i]), new(ref carry));
                if (carry == LineCarry.Owed) See(block.Frame(block[i]), block[i], 1, seen);
            }
            reader.Pass(block, block.Count);
        }
        return true;
    }

    private void See(ReadOnlySpan<byte> frame, in EventSlot slot, int attempt, List<long> seen)
    {
        // A dead letter that is put back has new attempts.
        if (!simulation.Replays && _given.TryGetValue(slot.Seq, out var before))
            Assert.True(attempt > before, $"{slot.Seq} came twice as attempt {attempt}.");
        _given[slot.Seq] = attempt;
        subscriber.See(frame, slot, attempt);
        seen.Add(slot.Seq);
    }
}
