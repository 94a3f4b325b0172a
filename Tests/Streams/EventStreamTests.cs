using OrleansEvents.Streams;
using Xunit;
using static OrleansEvents.Tests.Streams.StreamUnderTest;

namespace OrleansEvents.Tests.Streams;

public sealed class EventStreamTests
{
    [Fact]
    public void Ordinary_events_are_visible_at_once_and_numbered_from_one()
    {
        var under = new StreamUnderTest();
        var answer = under.Append(Event("1"), Event("2"));
        Assert.Null(answer.Pending);
        Assert.Equal((1, 2, 2, false), (answer.Published.First.Seq, answer.Published.Last.Seq, answer.Published.Count,
            answer.Published.Durable));
        Assert.Equal([(1, "1"), (2, "2")], under.Ring());
    }

    [Fact]
    public void A_critical_event_is_visible_after_its_commit_and_what_came_behind_it_with_it()
    {
        var under = new StreamUnderTest();
        var critical = under.Append(Event("1", critical: true));
        var behind = under.Append(Event("2"));
        Assert.Empty(under.Ring());
        Assert.False(critical.Pending!.Outcome.IsCompleted || behind.Pending!.Outcome.IsCompleted);
        under.Commit();
        Assert.Equal([(1, "1"), (2, "2")], under.Ring());
        Assert.True(WasShown(critical) && WasShown(behind));
        Assert.False(behind.Published.Durable);
    }

    [Fact]
    public void One_commit_is_in_flight_and_the_next_takes_all_that_waits()
    {
        var under = new StreamUnderTest();
        under.Append(Event("1", critical: true));
        var first = under.Stream.NextCommit()!;
        under.Append(Event("2", critical: true));
        under.Append(Event("3"));
        under.Append(Event("4", critical: true));
        Assert.Null(under.Stream.NextCommit());
        under.Stream.CommitDone(first, true, under.Now);
        var second = under.Stream.NextCommit()!;
        Assert.Equal([2, 4], second.Runs.Select(run => run.First));
        Assert.Equal([(1, "1")], under.Ring());
    }

    [Fact]
    public void A_failed_commit_makes_its_batches_void_and_lets_the_others_through()
    {
        var under = new StreamUnderTest();
        var critical = under.Append(Event("1", critical: true, key: "k"));
        var ordinary = under.Append(Event("2"));
        under.Stream.CommitDone(under.Stream.NextCommit()!, false, under.Now);
        Assert.False(WasShown(critical));
        Assert.True(WasShown(ordinary));
        Assert.Equal([(2, "2")], under.Ring());
        Assert.Equal(ErrorCode.StoreUnavailable, under.Append(Event("3", critical: true)).Refusal!.Value.Code);
        Assert.Equal(3, under.Append(Event("4", key: "k")).Published.First.Seq);
    }

    [Fact]
    public void Ordinary_events_wait_one_second_at_most()
    {
        var under = new StreamUnderTest();
        under.Append(Event("1", critical: true));
        under.Append(Event("2"));
        var late = under.Stream.NextCommit()!;
        under.Pass(0.999);
        under.Stream.Tick(under.Now);
        Assert.Empty(under.Ring());
        under.Pass(0.001);
        Assert.True(under.Stream.NextTickMs(under.Now) <= under.Now.Ms + 1000);
        under.Stream.Tick(under.Now);
        Assert.Equal([(2, "2")], under.Ring());
        Assert.Null(under.Stream.BeginReopen());
        // Its bytes are still being written: they are let go when it comes back.
        Assert.Equal(1, late.Runs[0].First);
        under.Stream.CommitDone(late, true, under.Now);
        Assert.Equal([(2, "2")], under.Ring());
        Assert.NotNull(under.Stream.BeginReopen());
    }

    [Fact]
    public void A_reopening_reserves_nothing_beyond_its_beginning()
    {
        var under = new StreamUnderTest();
        // The last number reserved is near: the next hundred are left.
        var opened = under.Opened with { Epochs = [new(under.Handle.Epoch, IEventLog.NumberBlock - 99, null, false)] };
        var stream = new EventStream(new StreamFeed("x", new FeedMemory()), opened, under.Defaults, new EventRun(),
            under.Limits, under.Now);
        stream.Append([Event("1", critical: true)], under.Now);
        stream.CommitDone(stream.NextCommit()!, false, under.Now);
        var (confirmed, next) = stream.BeginReopen()!.Value;
        Assert.True(next > opened.ReservedThrough);
        stream.Reopened(stream.Handle with { Epoch = 99 });
        Assert.Equal(ErrorCode.StoreUnavailable, stream.Append([Event("2")], under.Now).Refusal!.Value.Code);
        var through = stream.BeginReserve()!.Value;
        Assert.Null(stream.BeginReserve());
        stream.Reserved(through, true);
        Assert.Equal(next, stream.Append([Event("2")], under.Now).Published.First.Seq);
    }

    [Fact]
    public void A_batch_is_numbered_as_one_and_a_duplicate_in_it_is_answered_with_the_first_id()
    {
        var under = new StreamUnderTest();
        var each = new List<PublishedEvent>();
        under.Append(Event("1", key: "a"));
        var answer = under.Append(each, Event("1", key: "a"), Event("2", key: "b"), Event("2", key: "b"));
        Assert.Equal([(1, true), (2, false), (2, true)], each.Select(one => ((int)one.Id.Seq, one.Duplicate)));
        Assert.Equal((1, 2), (answer.Published.Count, answer.Published.Duplicates));
        var all = under.Append(Event("2", key: "b"), Event("1", key: "a"));
        Assert.Equal((0, 1, 2), (all.Published.Count, all.Published.First.Seq, all.Published.Last.Seq));
    }

    [Fact]
    public void A_conflicting_key_refuses_the_whole_batch_and_burns_nothing()
    {
        var under = new StreamUnderTest();
        under.Append(Event("1", key: "a"));
        Assert.Equal(ErrorCode.KeyConflict, under.Append(Event("2"), Event("other", key: "a")).Refusal!.Value.Code);
        Assert.Equal(ErrorCode.KeyConflict, under.Append(Event("1", key: "c"), Event("2", key: "c"))
            .Refusal!.Value.Code);
        Assert.Equal(2, under.Append(Event("3", key: "c")).Published.First.Seq);
    }

    [Fact]
    public void A_key_that_is_being_written_is_awaited_whatever_the_content()
    {
        var under = new StreamUnderTest();
        var first = under.Append(Event("1", critical: true, key: "a"));
        Assert.Same(first.Pending, under.Append(Event("1", critical: true, key: "a")).AwaitFirst);
        Assert.Same(first.Pending, under.Append(Event("other", key: "a")).AwaitFirst);
        under.Stream.CommitDone(under.Stream.NextCommit()!, false, under.Now);
        Assert.Null(under.Append(Event("other", key: "a")).Refusal);
    }

    [Fact]
    public void A_key_is_forgotten_after_its_window()
    {
        var under = new StreamUnderTest();
        under.Append(Event("1", key: "a"));
        under.Pass(119.999);
        Assert.Equal(0, under.Append(Event("1", key: "a")).Published.Count);
        under.Pass(0.001);
        Assert.Equal(1, under.Append(Event("other", key: "a")).Published.Count);
    }

    [Fact]
    public void Too_many_keys_are_refused_until_some_expire()
    {
        var under = new StreamUnderTest(limits: new StreamLimits(Keys: 2));
        under.Append(Event("1", key: "a"), Event("2", key: "b"));
        Assert.Equal(ErrorCode.RateLimited, under.Append(Event("3", key: "c")).Refusal!.Value.Code);
        Assert.Null(under.Append(Event("3")).Refusal);
        under.Pass(120);
        Assert.Null(under.Append(Event("3", key: "c")).Refusal);
    }

    [Fact]
    public void Nothing_is_appended_once_the_end_has_begun_and_a_failed_end_is_taken_back()
    {
        var under = new StreamUnderTest();
        under.Append(Event("1"));
        Assert.True(under.Stream.BeginEnd());
        Assert.False(under.Stream.BeginEnd());
        Assert.Equal(ErrorCode.StreamCompleted, under.Append(Event("2")).Refusal!.Value.Code);
        under.Stream.Ended(StreamState.Completed, succeeded: false);
        Assert.Null(under.Append(Event("2")).Refusal);
        under.Stream.BeginEnd();
        under.Stream.Ended(StreamState.Completed, succeeded: true);
        Assert.Equal(StreamState.Completed, under.Feed.History.State);
        Assert.False(under.Stream.BeginEnd());
    }

    [Fact]
    public void Old_events_leave_the_ring_when_their_time_has_come()
    {
        var under = new StreamUnderTest(StreamSettings.Default with { MaxAge = TimeSpan.FromSeconds(10) });
        under.Append(Event("1"));
        under.Pass(5);
        under.Append(Event("2"));
        Assert.Equal(under.Now.Ms + 5001, under.Stream.NextTickMs(under.Now));
        under.Pass(5.001);
        under.Stream.Tick(under.Now);
        Assert.Equal([(2, "2")], under.Ring());
    }

    [Fact]
    public void Acknowledged_events_are_trimmed_and_then_nothing_asks_for_a_tick()
    {
        var settings = StreamSettings.Default with { Retention = new() { Count = 100, Age = null } };
        var under = new StreamUnderTest(settings);
        under.Append(Event("1", critical: true));
        under.Commit();
        under.Append(Event("2", critical: true));
        under.Commit();
        under.Append(Event("3"));
        under.Pass(1);
        Assert.Equal(0, under.Stream.Tick(under.Now));
        under.Stream.AcknowledgedThrough = 1;
        Assert.Equal(under.Now.Ms + 1000, under.Stream.NextTickMs(under.Now));
        Assert.Equal(1, under.Stream.Tick(under.Now));
        under.Stream.AcknowledgedThrough = 3;
        Assert.Equal(2, under.Stream.Tick(under.Now));
        Assert.Equal(0, under.Stream.StoredCount);
        Assert.Equal(long.MaxValue, under.Stream.NextTickMs(under.Now));
    }

    [Fact]
    public void After_a_save_that_may_have_made_it_durable_everything_is_logged()
    {
        var under = new StreamUnderTest();
        var durable = under.Defaults with { Durable = true };
        var since = under.Stream.BeginSettings(durable);
        under.Stream.SettingsSaved(durable, since, succeeded: false, under.Now);
        Assert.False(under.Stream.Settings.Durable);
        Assert.NotNull(under.Append(Event("1")).Pending);
        under.Commit();
        Assert.Null(under.Stream.BeginSettings(under.Defaults));
        under.Stream.SettingsSaved(under.Defaults, null, succeeded: true, under.Now);
        Assert.Null(under.Append(Event("2")).Pending);
    }

    [Fact]
    public void A_graceful_close_and_opening_lose_nothing_and_make_no_gap()
    {
        var under = new StreamUnderTest(StreamSettings.Default with { Buffer = 2 });
        under.Append(Event("1"), Event("2"), Event("3"));
        var old = under.Feed.History.At(2);
        under.CloseGracefully();
        under.Open();
        Assert.Equal([(2, "2"), (3, "3")], under.Ring());
        Assert.Equal(new ReadStart(2, null, under.Feed.History.Epoch), under.Feed.Resolve(ReadFrom.After(old)));
        Assert.Equal(4, under.Append(Event("4")).Published.First.Seq);
    }

    [Fact]
    public void A_crash_keeps_what_is_durable_numbers_on_and_tells_a_restart()
    {
        var under = new StreamUnderTest();
        under.Append(Event("1", critical: true));
        under.Commit();
        under.Append(Event("2"));
        var seen = under.Feed.History.At(2);
        under.Open();
        Assert.Equal([(1, "1")], under.Ring());
        var start = under.Feed.Resolve(ReadFrom.After(seen));
        Assert.Equal((GapReason.Restart, null), (start.Gap!.Value.Reason, start.Gap.Value.Missed));
        var whole = under.Feed.Resolve(ReadFrom.Beginning);
        Assert.Equal((0, GapReason.Restart), (whole.Seq, whole.Gap!.Value.Reason));
        Assert.Equal(IEventLog.NumberBlock + 1, under.Append(Event("3")).Published.First.Seq);
    }
}
