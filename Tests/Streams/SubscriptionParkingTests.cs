using OrleansEvents.Streams;
using Xunit;

namespace OrleansEvents.Tests.Streams;

/// <summary>Dead letters: what is parked, acknowledged late, put back, purged, and what expires.</summary>
public sealed class SubscriptionParkingTests
{
    private static readonly SubscriberPolicy _once = SubscriberPolicy.Default with { MaxAttempts = 1 };

    [Fact]
    public void An_event_acknowledged_while_it_is_being_parked_is_no_dead_letter_in_the_end()
    {
        foreach (var (happens, succeeds) in new[] { (true, true), (true, false), (false, false) })
        {
            var under = new SubscriptionUnderTest(_once);
            under.Publish();
            under.Receive(under.Attach());
            under.Nack(1);
            under.BeginSave();
            Assert.Equal(AckResult.Acknowledged, under.State.BeginAcknowledge(1));
            under.Saved(happens, succeeds);
            under.Save();
            Assert.Empty(under.Pending);
            Assert.Empty(under.Store.Parked);
            under.Restart();
            Assert.Equal((0, 0), (under.State.PendingCount, under.State.DeadLetterCount));
        }
    }

    [Fact]
    public void Acknowledgements_of_many_that_are_being_parked_are_kept_when_that_fails()
    {
        var under = new SubscriptionUnderTest(_once);
        under.Publish(600);
        under.Receive(under.Attach(), 600);
        under.State.Nack([.. Enumerable.Range(1, 600).Select(seq => (long)seq)], null, "nack", under.Now);
        var parking = under.BeginSave().Parking;
        under.State.BeginAcknowledge(parking[^1].Seq);
        under.Saved(happens: false, succeeds: false);
        for (var i = 0; i < 4; i++) under.Save();
        Assert.Equal(599, under.Store.Parked.Count);
        Assert.Equal((0, 599), (under.State.PendingCount, under.State.DeadLetterCount));
    }

    [Fact]
    public void A_late_acknowledgement_of_a_dead_letter_removes_it()
    {
        var under = new SubscriptionUnderTest(_once);
        under.Publish();
        under.Park(1);
        Assert.Equal(AckResult.Acknowledged, under.Acknowledge(1));
        Assert.Empty(under.Store.Parked);
        Assert.Equal(AckResult.Already, under.Acknowledge(1));
    }

    [Fact]
    public void A_dead_letter_acknowledged_while_it_is_put_back_does_not_come()
    {
        var under = new SubscriptionUnderTest(_once);
        under.Publish();
        under.Park(1);
        under.State.BeginReplay([1]);
        under.BeginSave();
        Assert.Equal(AckResult.Acknowledged, under.State.BeginAcknowledge(1));
        under.Saved();
        under.Save();
        Assert.Empty(under.Receive(under.Attach()));
        Assert.Empty(under.Store.Parked);
    }

    [Fact]
    public void Dead_letters_put_back_come_with_new_attempts_over_a_restart_and_stay_away_when_acknowledged()
    {
        var under = new SubscriptionUnderTest();
        under.Publish(3);
        under.Park(2);
        Assert.Equal([2], under.State.BeginReplay(null));
        under.Save();
        Assert.Empty(under.State.BeginReplay(null));
        under.Restart();
        Assert.Equal([1, 2, 3], under.Pending);
        Assert.Equal((0, 1), (under.State.DeadLetterCount, under.State.ReplayingCount));
        Assert.Equal([(1, 2), (2, 1), (3, 2)], under.Receive(under.Attach()));
        under.Acknowledge(2);
        under.Restart();
        Assert.DoesNotContain(2, under.Pending);
        Assert.Empty(under.Store.Parked);
    }

    [Fact]
    public void A_dead_letter_put_back_beside_older_ones_is_owed_once_and_stays_away_when_acknowledged()
    {
        var under = new SubscriptionUnderTest();
        under.Publish(3);
        under.Park(2);
        under.State.BeginReplay(null);
        under.Save();
        under.Publish();
        under.Save();
        under.Restart();
        Assert.Equal([1, 2, 3, 4], under.Pending);
        under.Acknowledge(2);
        under.Restart();
        Assert.Equal([1, 3, 4], under.Pending);
    }

    [Fact]
    public void Dead_letters_that_are_purged_are_gone_and_those_put_back_are_not()
    {
        var under = new SubscriptionUnderTest(_once);
        under.Publish(2);
        under.Park(1);
        under.Park(2);
        under.State.BeginReplay([2]);
        under.Save();
        Assert.Equal(1, under.State.BeginPurge());
        under.Save();
        Assert.Equal([2], under.Store.Parked.Keys);
        Assert.Equal([2], under.Pending);
    }

    [Fact]
    public void Dead_letters_past_their_number_become_one_range_and_no_more_of_them_than_that()
    {
        var under = new SubscriptionUnderTest(_once, SubscriptionLimits.Default with { Parked = 3 });
        under.Publish(5);
        under.Receive(under.Attach());
        for (var seq = 1; seq <= 5; seq++) under.Nack(seq);
        under.Save();
        under.Pass(0.001);
        under.BeginSave();
        under.State.Tick(under.Now);
        under.Saved();
        under.State.Tick(under.Now);
        Assert.Equal([3, 4, 5], under.Store.Parked.Keys);
        Assert.Equal(new ExpiredRange(1, 2, 2), under.State.Expired);
        Assert.False(under.State.IsExpiryTold);
        under.State.ExpiryTold();
        under.Save();
        under.Restart();
        Assert.Equal((new ExpiredRange(1, 2, 2), true), (under.State.Expired, under.State.IsExpiryTold));
    }

    [Fact]
    public void Dead_letters_past_their_age_expire()
    {
        var under = new SubscriptionUnderTest(_once, SubscriptionLimits.Default with
        {
            ParkedAge = TimeSpan.FromSeconds(60),
        });
        under.Publish(2);
        under.Park(1);
        under.Pass(59);
        under.Park(2);
        under.Pass(1);
        under.Save();
        Assert.Equal([2], under.Store.Parked.Keys);
    }

    [Fact]
    public void The_oldest_beyond_the_most_pending_is_parked_unless_the_subscriber_blocks()
    {
        foreach (var overflow in new[] { OverflowRule.Lapse, OverflowRule.Block })
        {
            var policy = SubscriberPolicy.Default with { MaxPending = 2, Overflow = overflow };
            var under = new SubscriptionUnderTest(policy);
            under.Publish(5);
            under.Save();
            Assert.Equal(overflow == OverflowRule.Lapse ? [1, 2, 3] : [], under.Store.Parked.Keys);
        }
    }

    [Fact]
    public void What_is_too_old_is_parked_and_so_is_what_the_stream_lets_go()
    {
        var under = new SubscriptionUnderTest(SubscriberPolicy.Default with { MaxAge = TimeSpan.FromSeconds(5) });
        under.Publish();
        under.Pass(3);
        under.Publish(2);
        under.Pass(2.001);
        under.State.Lapse(2, under.Now);
        Assert.Equal(["age"], under.HistoryOf(1));
        Assert.Equal(["retention"], under.HistoryOf(2));
        Assert.Equal(0, under.State.DoneThrough(under.Head));
        under.Save();
        Assert.Equal(2, under.State.DoneThrough(under.Head));
        Assert.Equal([1, 2], under.Store.Parked.Keys);
    }
}
