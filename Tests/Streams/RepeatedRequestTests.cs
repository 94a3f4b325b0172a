using OrleansEvents.Streams;
using Xunit;
using static OrleansEvents.Tests.Streams.StreamUnderTest;

namespace OrleansEvents.Tests.Streams;

/// <summary>Requests without keys that come again because nobody knows what came of them.</summary>
public sealed class RepeatedRequestTests
{
    private readonly StreamUnderTest _under = new();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_durable_request_that_comes_again_is_answered_as_before_also_after_a_crash(bool crash)
    {
        var first = Append(1, again: false, Event("1", critical: true), Event("2"));
        _under.Commit();
        if (crash) _under.Open();
        var again = Append(1, again: true, Event("1", critical: true), Event("2"));
        Assert.Equal(first.Published, again.Published);
        Assert.Null(again.Pending);
        Assert.Equal(2, _under.Ring().Count);
    }

    [Fact]
    public void One_that_is_still_being_written_is_awaited()
    {
        var first = Append(1, again: false, Event("1", critical: true));
        Assert.Same(first.Pending, Append(1, again: true, Event("1", critical: true)).AwaitFirst);
    }

    [Fact]
    public void One_that_was_not_written_is_appended_when_it_comes_again()
    {
        Append(1, again: false, Event("1", critical: true));
        _under.Stream.CommitDone(_under.Stream.NextCommit()!, succeeded: false, _under.Now);
        _under.Reopen();
        var again = Append(1, again: true, Event("1", critical: true));
        _under.Commit();
        Assert.True(WasShown(again));
        Assert.Single(_under.Ring());
    }

    [Fact]
    public void What_is_in_memory_only_is_refused_when_it_comes_again_unless_every_event_has_a_key()
    {
        Append(1, again: false, Event("1"));
        Assert.Equal(ErrorCode.StoreUnavailable, Append(1, again: true, Event("1")).Refusal!.Value.Code);
        Assert.Equal(ErrorCode.StoreUnavailable,
            Append(2, again: true, Event("2", key: "k"), Event("3", critical: true)).Refusal!.Value.Code);
        Append(3, again: false, Event("4", key: "4"));
        Assert.Equal(1, Append(3, again: true, Event("4", key: "4")).Published.Duplicates);
        Assert.Equal([1, 2], _under.Ring().Select(each => each.Seq));
    }

    [Fact]
    public void One_that_comes_again_when_the_stream_has_ended_is_answered_as_before()
    {
        var first = Append(1, again: false, Event("1", critical: true));
        _under.Commit();
        _under.Stream.BeginEnd();
        _under.Stream.Ended(StreamState.Completed, succeeded: true);
        Assert.Equal(first.Published, Append(1, again: true, Event("1", critical: true)).Published);
    }

    [Fact]
    public void Marks_are_forgotten_and_bounded()
    {
        var under = new StreamUnderTest(limits: new StreamLimits(Keys: 2));
        AppendResult Publish(long no) =>
            under.Stream.Append([Event("1", critical: true)], under.Now, null, new RequestMark(7, no, false));
        Publish(1);
        Publish(2);
        under.Commit();
        Assert.Equal(ErrorCode.RateLimited, Publish(3).Refusal!.Value.Code);
        under.Pass(31);
        under.Stream.Tick(under.Now);
        Assert.Null(Publish(4).Refusal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Requests_of_one_call_have_one_mark_and_each_is_answered_as_before(bool crash)
    {
        var first = Call(again: false);
        var work = _under.Stream.NextCommit()!;
        Assert.Single(work.Keys);
        _under.Write(work);
        _under.Stream.CommitDone(work, succeeded: true, _under.Now);
        if (crash) _under.Open();
        Assert.Equal(first.Select(each => each.Published), Call(again: true).Select(each => each.Published));
        Assert.Equal([1, 2, 3, 4], _under.Ring().Select(each => each.Seq));
        // One that was not in the call is not taken for one that was.
        Assert.NotNull(Append(4, again: true, Event("5", critical: true)).Pending);

        AppendResult[] Call(bool again) =>
        [
            Append(1, again, 0, Event("1", critical: true)),
            Append(2, again, 1, Event("2", critical: true), Event("3")),
            Append(3, again, 3, Event("4", critical: true)),
        ];
    }

    [Fact]
    public void A_mark_ends_at_an_ordinary_request_whose_outcome_a_crash_takes_back()
    {
        Append(1, again: false, 0, Event("1", critical: true));
        Append(2, again: false, 1, Event("2"));
        Append(3, again: false, 2, Event("3", critical: true));
        _under.Commit();
        _under.Open();
        Assert.Equal(1, Append(1, again: true, 0, Event("1", critical: true)).Published.First.Seq);
        Assert.Equal(ErrorCode.StoreUnavailable, Append(2, again: true, 1, Event("2")).Refusal!.Value.Code);
        Assert.Equal(3, Append(3, again: true, 2, Event("3", critical: true)).Published.First.Seq);
    }

    [Fact]
    public void Requests_of_a_call_that_was_not_written_are_appended_when_they_come_again()
    {
        Append(1, again: false, 0, Event("1", critical: true));
        Append(2, again: false, 1, Event("2", critical: true));
        _under.Stream.CommitDone(_under.Stream.NextCommit()!, succeeded: false, _under.Now);
        _under.Reopen();
        AppendResult[] again =
        [
            Append(1, again: true, 0, Event("1", critical: true)),
            Append(2, again: true, 1, Event("2", critical: true)),
        ];
        _under.Commit();
        Assert.All(again, each => Assert.True(WasShown(each)));
        Assert.Equal(2, _under.Ring().Count);
    }

    private AppendResult Append(long no, bool again, int ahead, params NewEvent[] events) =>
        _under.Stream.Append(events, _under.Now, null, new RequestMark(7, no, again, ahead));

    private AppendResult Append(long no, bool again, params NewEvent[] events) =>
        _under.Stream.Append(events, _under.Now, null, new RequestMark(7, no, again));
}
