using OrleansEvents.Streams;
using Xunit;
using static OrleansEvents.Tests.Streams.StreamUnderTest;

namespace OrleansEvents.Tests.Streams;

public sealed class StreamReplicaTests
{
    private readonly StreamUnderTest _owner = new(StreamSettings.Default with { Buffer = 5 });

    [Fact]
    public void It_begins_as_the_owner_s_buffer_and_goes_on_by_pushes()
    {
        for (var i = 0; i < 9; i++) _owner.Append(Event("1"));
        var copy = Copy();
        Assert.Equal(_owner.Ring(), Read(copy.Feed, copy.Feed.Floor));
        for (var i = 0; i < 3; i++) _owner.Append(Event("2"));
        while (copy.Next() is { } push) copy.Take(push);
        Assert.Equal(_owner.Ring(), Read(copy.Feed, copy.Feed.Floor));
        Assert.Equal((_owner.Feed.Floor, _owner.Feed.Head), (copy.Feed.Floor, copy.Feed.Head));
    }

    [Fact]
    public void A_reader_is_told_once_that_ordinary_events_died_with_an_owner_and_gets_what_survived()
    {
        _owner.Append(Event("1"));
        var copy = Copy();
        var reader = new FeedReader(copy.Feed.Resolve(ReadFrom.Buffer));
        Assert.Equal(1, Pass(copy.Feed, ref reader));
        _owner.Append(Event("2", critical: true));
        _owner.Commit();
        _owner.Append(Event("3"));
        _owner.Open();
        copy.Renew(atOnce: false);
        Assert.Equal(FeedRead.Behind, copy.Feed.Read(ref reader, 1000, out _));
        // Until it is told, its cursor is of the epoch before: coming back with it elsewhere, it is told there.
        Assert.Equal(GapReason.Restart, _owner.Feed.Resolve(ReadFrom.After(reader.Position)).Gap!.Value.Reason);
        var start = copy.Feed.Overtaken(reader, GapReason.Slow);
        Assert.Equal(GapReason.Restart, start.Gap!.Value.Reason);
        Assert.Equal(_owner.Feed.History.Epochs[^1].First - 1, start.Gap.Value.ResumedAt.Seq);
        reader.MoveTo(start);
        Assert.Equal(2, Pass(copy.Feed, ref reader));
        Assert.Equal(FeedRead.Nothing, copy.Feed.Read(ref reader, 1000, out _));
    }

    [Fact]
    public void A_late_word_of_an_owner_before_changes_nothing()
    {
        var copy = Copy();
        copy.Renew(atOnce: false);
        _owner.Append(Event("1"));
        var late = copy.Next()!.Value;
        _owner.Open();
        copy.Renew(atOnce: false);
        var (head, history) = (copy.Feed.Head, copy.Feed.History);
        copy.Take(late);
        Assert.Equal((head, history), (copy.Feed.Head, copy.Feed.History));
        Assert.Empty(Read(copy.Feed, copy.Feed.Floor));
    }

    [Fact]
    public void The_end_comes_behind_the_last_event()
    {
        var copy = Copy();
        for (var i = 0; i < 4; i++) _owner.Append(Event(new string('1', 300)));
        _owner.Stream.BeginEnd();
        _owner.Stream.Ended(StreamState.Completed, succeeded: true);
        while (copy.Next() is { } push)
        {
            Assert.Equal(StreamState.Open, copy.Feed.History.State);
            copy.Take(push);
        }
        Assert.Equal((StreamState.Completed, 4), (copy.Feed.History.State, copy.Feed.Count));
    }

    [Fact]
    public void A_stream_that_is_gone_or_another_ends_it()
    {
        _owner.Append(Event("1"));
        var copy = Copy();
        var replica = copy.Replica;
        var another = new StreamUnderTest();
        var (filling, after) = StreamReplica.From(another.Feed, replica.Position);
        Assert.Equal(ReplicaFilling.IsAnother, filling);
        using var none = new EventRun();
        replica.Fill(new(filling, after, 0, false, 1, new(another.Feed.History, 5, 5000, null)), none, _owner.Now);
        Assert.True(replica.IsOver);
        Assert.Equal(StreamState.Deleted, replica.Feed.History.State);
    }

    [Fact]
    public void Of_a_stream_that_is_absent_it_waits_for_the_first_event()
    {
        var replica = new StreamReplica(new StreamFeed(Name, new FeedMemory()));
        var absent = new StreamFeed(Name, new FeedMemory());
        absent.MarkMissing(deleted: false);
        var (filling, after) = StreamReplica.From(absent, replica.Position);
        using var none = new EventRun();
        replica.Fill(new(filling, after, 0, false, 1, new(absent.History, 5, 5000, null)), none, _owner.Now);
        Assert.Equal((StreamState.Absent, false, true), (replica.Feed.History.State, replica.IsOver, replica.IsFilled));
        Assert.True(replica.Renewed(default, 1, atOnce: true));
        Assert.False(replica.Renewed(_owner.Feed.History.At(0), 2, atOnce: false));
    }

    private static long Pass(StreamFeed feed, ref FeedReader reader)
    {
        Assert.Equal(FeedRead.Block, feed.Read(ref reader, 1000, out var block));
        using (block) reader.Pass(block, block.Count);
        return reader.Seq;
    }

    private ReplicaUnderTest Copy()
    {
        var copy = new ReplicaUnderTest(_owner);
        copy.Renew(atOnce: true);
        return copy;
    }
}
