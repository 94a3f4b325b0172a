using System.Text;
using OrleansEvents.Streams;
using OrleansEvents.Tests.Streams;
using Xunit;

namespace OrleansEvents.Tests.Embedded;

/// <summary>A reader of one stream that comes back with its cursor, over disconnections and crashes. What it holds
/// here is the client's: it outlives the server's process.</summary>
internal sealed class SimulatedReader(string stream, Simulation simulation) : IFeedWatcher
{
    private TaskCompletionSource _moved = new();
    private ReadFrom _from = ReadFrom.Beginning;
    private long _told;
    private FeedReader _reader;
    private int _left;

    public string Stream => stream;

    public long Seq { get; private set; }

    public bool IsWaiting { get; private set; }

    public void Advanced(StreamFeed feed) => _moved.TrySetResult();

    /// <summary>One connection, for so many events.</summary>
    public async Task Connect(int events)
    {
        _left = events;
        IsWaiting = false;
        var followed = await simulation.Engine.Follow(stream);
        if (followed.Refusal is not null) return;
        using var lease = followed.Value!;
        var feed = lease.Feed;
        feed.Watch(this);
        var started = false;
        while (_left > 0)
        {
            _moved = new();
            started = started || Start(feed);
            if (started && await Advance(feed)) continue;
            IsWaiting = true;
            await _moved.Task;
            IsWaiting = false;
        }
        feed.Unwatch(this);
    }

    /// <summary>Disconnects when it next looks.</summary>
    public void Leave()
    {
        _left = 0;
        _moved.TrySetResult();
    }

    private bool Start(StreamFeed feed)
    {
        if (feed.History.State is not (StreamState.Open or StreamState.Completed)) return false;
        var start = feed.Resolve(_from);
        Tell(start);
        _reader = new FeedReader(start);
        Seq = start.Seq;
        return true;
    }

    private void Tell(ReadStart start)
    {
        if (start.Gap is not { } gap) return;
        simulation.Gaps.Add(gap.Reason);
        _told = Math.Max(_told, Math.Max(start.Seq, gap.ResumedAt.Seq));
    }

    private async ValueTask<bool> Advance(StreamFeed feed)
    {
        switch (feed.Read(ref _reader, 1 + simulation.Random.Next(2000), out var block))
        {
            case FeedRead.Block:
                using (block)
                {
                    var count = Math.Min(_left, simulation.Random.Next(1, block.Count + 1));
                    for (var i = 0; i < count; i++) See(feed, block.Frame(block[i]), block[i]);
                    _reader.Pass(block, count);
                }
                return true;
            case FeedRead.Behind:
                return await CatchUp(feed);
            default:
                return false;
        }
    }

    private async ValueTask<bool> CatchUp(StreamFeed feed)
    {
        if (feed.History.StoredSince is not { } since || _reader.Seq < since)
        {
            Jump(feed);
            return true;
        }
        var read = await simulation.Engine.ReadStored(stream, _reader.Seq, 10, 4000);
        if (read.Refusal is not null)
        {
            _left = 0;
            return true;
        }
        using var run = read.Value!;
        if (_reader.Seq < (feed.History.StoredSince ?? long.MaxValue)) return true;
        foreach (ref readonly var slot in run.Slots) See(feed, run.FrameOf(slot), slot);
        _reader.MoveTo(run.Count > 0 ? run.Last : Math.Max(feed.Floor, _reader.Seq));
        return true;
    }

    private void Jump(StreamFeed feed)
    {
        var start = feed.Overtaken(_reader, GapReason.Slow);
        Assert.True(start.Seq > _reader.Seq);
        Tell(start);
        if (start.Gap is null) simulation.Truth.NothingBetween(stream, Math.Max(Seq, _told), start.Seq + 1);
        Seq = start.Seq;
        _reader.MoveTo(start);
    }

    private void See(StreamFeed feed, ReadOnlySpan<byte> frame, in EventSlot slot)
    {
        Assert.True(slot.Seq > Seq, $"{stream}: {slot.Seq} came behind {Seq}.");
        simulation.Truth.NothingBetween(stream, Math.Max(Seq, _told), slot.Seq);
        simulation.Saw(stream, slot, StreamUnderTest.DataOf(frame, slot));
        Seq = slot.Seq;
        _left--;
        // Its own id, or the connection's position: a heartbeat's.
        Assert.True(Cursor.TryParse(Encoding.ASCII.GetString(frame.Slice(4, Cursor.TextLength)), out var id));
        Assert.Equal(slot.Seq, id.Seq);
        _from = ReadFrom.After(simulation.Random.Next(3) == 0 ? feed.History.At(slot.Seq) : id);
    }
}
