using OrleansEvents.Streams;
using Xunit;

namespace OrleansEvents.Tests.Streams;

/// <summary>Section 5 of the contract: deliveries, retries, and who gets what.</summary>
public sealed class SubscriptionTests
{
    private static readonly SubscriberPolicy _sequential = SubscriberPolicy.Default with { MaxInFlight = 1 };
    private static readonly SubscriberPolicy _compete = SubscriberPolicy.Default with
    {
        Mode = SubscriberMode.Compete,
    };

    [Fact]
    public void An_event_that_is_not_acknowledged_in_time_comes_again_after_each_back_off_and_is_then_parked()
    {
        var under = new SubscriptionUnderTest();
        var slot = under.Attach();
        under.Publish();
        Assert.Equal(LineCarry.Owed, under.OnLine(slot, 1));
        under.State.Delivered(slot, [1], under.Now);
        foreach (var (wait, attempt) in new[] { (1, 2), (2, 3), (4, 4) })
        {
            under.Pass(30 + wait - 0.001);
            Assert.Empty(under.Receive(slot));
            under.Pass(0.001);
            Assert.Equal([(1, attempt)], under.Receive(slot));
        }
        under.Pass(30);
        under.Save();
        Assert.True(under.State.IsDeadLetter(1));
        var (attempts, history) = Subscription.ReadNote(under.Store.Parked[1].Note);
        Assert.Equal(4, attempts);
        Assert.Equal(["timeout", "timeout", "timeout", "timeout"], history.Select(each => each.Reason));
        Assert.Equal(new SubscriberCounts(3, 3, 0, 1), under.State.Counts);
    }

    [Fact]
    public void The_last_back_off_repeats()
    {
        var under = new SubscriptionUnderTest(SubscriberPolicy.Default with
        {
            MaxAttempts = 5, Backoff = [TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(3)],
        });
        under.Publish();
        var slot = under.Attach();
        foreach (var wait in new[] { 1, 3, 3, 3 })
        {
            Assert.Single(under.Receive(slot));
            Assert.Equal(NackResult.Scheduled, under.Nack(1));
            under.Pass(wait - 0.001);
            Assert.Empty(under.Receive(slot));
            under.Pass(0.001);
        }
        Assert.Equal([(1, 5)], under.Receive(slot));
        Assert.Equal(NackResult.Parked, under.Nack(1));
    }

    [Fact]
    public void A_nack_with_a_delay_comes_again_after_that()
    {
        var under = new SubscriptionUnderTest();
        under.Publish();
        var slot = under.Attach();
        under.Receive(slot);
        under.Nack(1, TimeSpan.FromSeconds(60));
        Assert.Equal(NackResult.Scheduled, under.Nack(1, TimeSpan.FromSeconds(90)));
        under.Pass(89.9);
        Assert.Empty(under.Receive(slot));
        under.Pass(0.1);
        Assert.Equal([(1, 2)], under.Receive(slot));
    }

    [Fact]
    public void What_has_not_gone_out_uses_up_no_attempt()
    {
        var under = new SubscriptionUnderTest();
        under.Publish();
        for (var i = 0; i < 10; i++)
        {
            var slot = under.Attach();
            Assert.Equal([(1, 1)], under.Take(slot));
            under.Pass(100);
            Assert.Equal(NackResult.Unknown, under.Nack(1));
            under.Detach(slot);
        }
        Assert.Equal(0, under.AttemptsOf(1));
    }

    [Fact]
    public void A_connection_that_closes_with_an_event_in_flight_has_it_come_again_after_the_back_off()
    {
        var under = new SubscriptionUnderTest();
        under.Publish();
        var slot = under.Attach();
        under.Receive(slot);
        under.Detach(slot);
        Assert.Equal(["closed"], under.HistoryOf(1));
        slot = under.Attach();
        Assert.Empty(under.Receive(slot));
        under.Pass(1);
        Assert.Equal([(1, 2)], under.Receive(slot));
    }

    [Fact]
    public void What_a_poll_carried_stays_in_flight_when_it_has_ended()
    {
        var under = new SubscriptionUnderTest(_compete);
        under.Publish();
        var poll = under.Attach();
        under.Receive(poll);
        under.Detach(poll, keeps: true);
        var slot = under.Attach();
        under.Pass(30.9);
        Assert.Empty(under.Receive(slot));
        under.Pass(0.1);
        Assert.Equal([(1, 2)], under.Receive(slot));
    }

    [Fact]
    public void In_broadcast_every_connection_gets_an_event_once_a_round_and_the_first_acknowledgement_clears_it()
    {
        var under = new SubscriptionUnderTest();
        under.Publish(2);
        var (a, b) = (under.Attach(), under.Attach());
        Assert.Equal([(1, 1), (2, 1)], under.Receive(a));
        Assert.Equal([(1, 1), (2, 1)], under.Receive(b));
        under.Detach(a);
        Assert.Empty(under.Receive(b));
        Assert.Equal((1, 1), (under.AttemptsOf(1), under.AttemptsOf(2)));
        under.Acknowledge(1);
        under.Pass(31);
        Assert.Equal([(2, 2)], under.Receive(b));
        Assert.Equal([(2, 2)], under.Receive(under.Attach()));
    }

    [Fact]
    public void Competing_connections_get_each_event_once_and_as_many_as_the_others()
    {
        var under = new SubscriptionUnderTest(_compete with { MaxInFlight = 6 });
        var (a, b, c) = (under.Attach(), under.Attach(), under.Attach());
        under.Publish(10);
        var taken = new[] { under.Receive(a), under.Receive(b), under.Receive(c) };
        Assert.Equal([2, 2, 2], taken.Select(each => each.Count));
        Assert.Equal([1, 2, 3, 4, 5, 6], taken.SelectMany(each => each).Select(each => each.Seq).Order());
        under.Acknowledge(taken[1][0].Seq);
        Assert.Equal([(7, 1)], under.Receive(b));
        Assert.Empty(under.Receive(a));
        Assert.Equal(LineCarry.Skip, under.OnLine(c, 8));
    }

    [Fact]
    public void No_more_is_in_flight_than_allowed_retries_included()
    {
        var under = new SubscriptionUnderTest(SubscriberPolicy.Default with { MaxInFlight = 2 });
        under.Publish(4);
        var slot = under.Attach();
        Assert.Equal([(1, 1), (2, 1)], under.Receive(slot));
        under.Nack(1);
        Assert.Empty(under.Receive(slot));
        under.Publish();
        Assert.Equal(LineCarry.Skip, under.OnLine(slot, 5));
        under.Acknowledge(2);
        Assert.Equal([(3, 1)], under.Receive(slot));
        under.Acknowledge(1);
        under.Acknowledge(3);
        Assert.Equal([(4, 1), (5, 1)], under.Receive(slot));
    }

    [Theory]
    [InlineData(SubscriberMode.Broadcast)]
    [InlineData(SubscriberMode.Compete)]
    public void A_dead_letter_owed_again_does_not_hold_up_what_must_come_again_before_it(SubscriberMode mode)
    {
        var under = new SubscriptionUnderTest(_sequential with { Mode = mode });
        under.Publish(2);
        under.Park(1);
        var slot = under.Attach();
        Assert.Equal([(2, 1)], under.Receive(slot));
        under.State.BeginReplay(null);
        under.Save();
        under.Detach(slot);
        under.Pass(1);
        slot = under.Attach();
        Assert.Equal([(2, 2)], under.Receive(slot));
        under.Acknowledge(2);
        Assert.Equal([(1, 1)], under.Receive(slot));
    }

    [Theory]
    [InlineData(SubscriberMode.Broadcast)]
    [InlineData(SubscriberMode.Compete)]
    public void An_event_that_is_lost_makes_room_for_the_next(SubscriberMode mode)
    {
        var under = new SubscriptionUnderTest(_sequential with { Mode = mode });
        under.Publish(2);
        var slot = under.Attach();
        under.Take(slot);
        under.State.TakeWoken();
        under.State.Missing(1, under.Now);
        Assert.NotEqual(0UL, under.State.TakeWoken());
        Assert.Equal([(2, 1)], under.Receive(slot));
    }

    [Fact]
    public void What_waited_while_its_subscriber_was_shared_otherwise_comes_when_it_is_shared_again()
    {
        var under = new SubscriptionUnderTest(_compete);
        under.Publish(3);
        var slot = under.Attach();
        under.Receive(slot);
        under.Change(policy => policy with { Mode = SubscriberMode.Broadcast });
        Assert.True(under.State.TakeSharesChanged());
        under.Detach(slot);
        under.Pass(1);
        under.Change(policy => policy with { Mode = SubscriberMode.Compete });
        Assert.Equal([(1, 2), (2, 2), (3, 2)], under.Receive(under.Attach()));
    }

    [Fact]
    public void The_line_carries_what_is_new_and_leaves_out_what_comes_beside_it()
    {
        var under = new SubscriptionUnderTest();
        under.Publish(2);
        var slot = under.Attach();
        under.Publish(2);
        Assert.Equal(LineCarry.Skip, under.OnLine(slot, 1));
        Assert.Equal([(1, 1), (2, 1)], under.Receive(slot));
        Assert.Equal(LineCarry.Owed, under.OnLine(slot, 3));
        Assert.Equal(LineCarry.Skip, under.OnLine(slot, 3));
        under.Acknowledge(4);
        Assert.Equal(LineCarry.Skip, under.OnLine(slot, 4));
        Assert.Equal(LineCarry.Plain, under.State.OnLine(slot, 5, isCritical: false, isDurable: false));
    }

    [Fact]
    public void What_the_line_jumped_over_comes_beside_it()
    {
        var under = new SubscriptionUnderTest();
        var slot = under.Attach();
        under.Publish(4);
        Assert.Equal(LineCarry.Owed, under.OnLine(slot, 1));
        under.State.Jump(slot, 1, 3);
        Assert.Equal([(2, 1), (3, 1)], under.Receive(slot));
        Assert.Equal(LineCarry.Owed, under.OnLine(slot, 4));
    }

    [Fact]
    public void What_could_not_be_sent_is_taken_again_by_the_same_attempt()
    {
        var under = new SubscriptionUnderTest();
        under.Publish(2);
        var slot = under.Attach();
        under.Take(slot);
        under.State.GiveBack(slot, 2);
        Assert.Equal([(2, 1)], under.Take(slot));
    }

    [Fact]
    public void A_pushed_event_waits_for_no_acknowledgement_until_its_push_ends()
    {
        var under = new SubscriptionUnderTest(SubscriberPolicy.Default with
        {
            Webhook = new WebhookPolicy { Url = "http://x/" },
        });
        under.Publish();
        var slot = under.Attach(isPush: true);
        under.Receive(slot);
        under.Pass(1000);
        Assert.Equal(1, under.AttemptsOf(1));
        under.Detach(slot);
        Assert.Equal(["closed"], under.HistoryOf(1));
    }

    [Fact]
    public void A_subscriber_has_so_many_connections_and_no_more()
    {
        var under = new SubscriptionUnderTest();
        for (var i = 0; i < Subscription.MostConnections; i++) Assert.Equal(i, under.Attach());
        Assert.Equal(-1, under.State.Attach());
        under.Detach(7);
        Assert.Equal(7, under.Attach());
    }

    [Fact]
    public void One_that_registered_by_reading_expires_and_one_that_was_made_does_not()
    {
        foreach (var isExplicit in new[] { false, true })
        {
            var under = new SubscriptionUnderTest(isExplicit: isExplicit);
            Assert.Equal(isExplicit, under.State.NextDueMs(under.Now) == long.MaxValue);
            under.Pass(86_400.002);
            Assert.Equal(!isExplicit, under.State.IsExpired(under.Now));
        }
    }
}
