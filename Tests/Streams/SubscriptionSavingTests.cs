using System.Reflection;
using System.Text;
using OrleansEvents.Streams;
using Xunit;

namespace OrleansEvents.Tests.Streams;

/// <summary>What is acknowledged and stored, and what a save that fails leaves behind.</summary>
public sealed class SubscriptionSavingTests
{
    [Fact]
    public void An_acknowledged_event_is_done_when_that_is_stored_and_stays_so_over_restarts()
    {
        var under = new SubscriptionUnderTest();
        under.Publish(3);
        Assert.Equal(AckResult.Acknowledged, under.Acknowledge(2));
        Assert.Equal((AckResult.Already, AckResult.Unknown), (under.Acknowledge(2), under.Acknowledge(9)));
        under.Restart();
        under.Publish();
        under.Save();
        under.Restart();
        Assert.Equal([1, 3, 4], under.Pending);
    }

    [Fact]
    public void What_is_acknowledged_behind_the_last_event_owed_stays_so_when_more_has_come()
    {
        var under = new SubscriptionUnderTest();
        under.Publish(2);
        under.Acknowledge(2);
        for (var start = 0; start < 2; start++)
        {
            under.Restart();
            under.Publish();
            under.Save();
        }
        under.Restart();
        Assert.Equal([1, 3, 4], under.Pending);
    }

    [Fact]
    public void Neighbours_that_failed_together_or_apart_keep_their_own_attempts_and_history_over_a_restart()
    {
        var under = new SubscriptionUnderTest(new SubscriberPolicy { Backoff = [TimeSpan.FromHours(1)] });
        under.Publish(9);
        var slot = under.Attach();
        under.Receive(slot, 7);
        foreach (var seq in new long[] { 1, 2, 4 }) under.Nack(seq);
        under.Acknowledge(3);
        under.Pass(1);
        under.Nack(5);
        under.Save();
        under.Restart();
        Assert.Equal([1, 2, 4, 5, 6, 7, 8, 9], under.Pending);
        Assert.Equal([1, 1, 1, 1, 1, 1, 0, 0], under.Pending.Select(under.AttemptsOf));
        Assert.Equal([1, 1, 1, 1, 0, 0, 0, 0], under.Pending.Select(seq => under.HistoryOf(seq).Count()));
        var times = under.State.Pending(0, under.Now).Take(4).Select(each => each.History[0].Ms).ToArray();
        Assert.Equal([0, 0, 0, 1000], times.Select(ms => ms - times[0]));
    }

    [Fact]
    public void A_save_is_no_longer_for_a_thousand_that_failed_together_than_for_two()
    {
        var (few, many) = (SaveOfFailed(2), SaveOfFailed(1000));
        Assert.InRange(many.State.Length, 0, few.State.Length + 16);
    }

    private static SubscriptionSave SaveOfFailed(int count)
    {
        var under = new SubscriptionUnderTest();
        under.Publish(count);
        var slot = under.Attach();
        under.Receive(slot, count);
        under.Detach(slot);
        return under.BeginSave();
    }

    [Fact]
    public void All_that_was_delivered_is_acknowledged_up_to_a_number_and_no_more()
    {
        var under = new SubscriptionUnderTest();
        under.Publish(4);
        under.Receive(under.Attach(), 2);
        Assert.Equal([1, 2], under.State.BeginAcknowledgeUpTo(4));
        under.Save();
        Assert.Equal([3, 4], under.Pending);
    }

    [Fact]
    public void An_acknowledgement_that_could_not_be_stored_can_be_made_again_in_the_usual_time()
    {
        var under = new SubscriptionUnderTest();
        under.Publish();
        var slot = under.Attach();
        under.Receive(slot);
        under.Pass(29);
        under.State.BeginAcknowledge(1);
        under.Save(happens: false, succeeds: false);
        under.Pass(29);
        Assert.Empty(under.Receive(slot));
        under.Pass(2);
        Assert.Equal([(1, 2)], under.Receive(slot));
    }

    [Fact]
    public void An_event_acknowledged_before_it_was_told_to_have_gone_out_has_been_delivered_when_that_fails()
    {
        var under = new SubscriptionUnderTest();
        under.Publish();
        var slot = under.Attach();
        under.Take(slot);
        under.State.BeginAcknowledge(1);
        under.BeginSave();
        under.State.Delivered(slot, [1], under.Now);
        under.Saved(happens: false, succeeds: false);
        Assert.Empty(under.Receive(slot));
        Assert.Equal(1, under.AttemptsOf(1));
    }

    [Fact]
    public void An_event_that_was_to_come_again_does_not_come_as_the_same_attempt_when_its_acknowledgement_fails()
    {
        var under = new SubscriptionUnderTest();
        under.Publish();
        var slot = under.Attach();
        under.Receive(slot);
        under.Nack(1);
        under.State.BeginAcknowledge(1);
        under.Save(happens: false, succeeds: false);
        under.State.Jump(slot, 0, 1);
        Assert.Empty(under.Receive(slot));
        under.Pass(30);
        Assert.Equal([(1, 2)], under.Receive(slot));
    }

    [Fact]
    public void Ordinary_events_are_owed_for_a_while_in_memory_and_on_a_durable_stream_like_critical_ones()
    {
        var under = new SubscriptionUnderTest(SubscriberPolicy.Default with { OwesAll = true });
        under.Publish(critical: false, durable: false);
        under.Publish(critical: false);
        under.Pass(29.9);
        Assert.Equal([1, 2], under.Pending);
        under.Pass(0.1);
        Assert.Equal([2], under.Pending);
        under.Publish(critical: false, durable: false);
        under.Save();
        under.Restart();
        Assert.Equal([2], under.Pending);
    }

    [Fact]
    public void An_ordinary_event_that_a_buffer_holds_over_a_restart_is_owed_no_more_and_on_the_line_as_any()
    {
        var under = new SubscriptionUnderTest(SubscriberPolicy.Default with { OwesAll = true });
        under.Change(policy => policy);
        under.Publish();
        under.Publish(critical: false, durable: false);
        under.Store.Events.Add(2, new ShownEvent(2, under.Now.UnixMs, Critical: false, Durable: false, null));
        under.Save();
        under.Restart();
        Assert.Equal([1], under.Pending);
        Assert.Equal(LineCarry.Plain, under.State.OnLine(under.State.Attach(), 2, isCritical: false,
            isDurable: false));
    }

    [Fact]
    public void A_save_is_due_at_once_for_what_people_wait_for_later_for_the_rest_and_after_a_failure_not_before()
    {
        var (under, second) = (new SubscriptionUnderTest(), TimeSpan.FromSeconds(1));
        Assert.Equal(long.MaxValue, under.State.NextSaveMs(second, under.Now));
        under.Publish();
        under.Receive(under.Attach());
        Assert.Equal(1000, under.State.NextSaveMs(second, under.Now));
        under.State.BeginAcknowledge(1);
        Assert.Equal(0, under.State.NextSaveMs(second, under.Now));
        under.Save(happens: false, succeeds: false);
        under.Pass(0.4);
        Assert.Equal(1400, under.State.NextSaveMs(second, under.Now));
        under.State.BeginAcknowledge(1);
        Assert.Equal(1000, under.State.NextSaveMs(second, under.Now));
        under.Save();
        Assert.Equal(long.MaxValue, under.State.NextSaveMs(second, under.Now));
    }

    [Fact]
    public void What_a_cursor_acknowledges_is_named_by_the_ids_of_its_events_and_nothing_where_connections_compete()
    {
        var under = new SubscriptionUnderTest();
        under.Publish(4);
        under.Receive(under.Attach());
        var history = StreamHistory.None with
        {
            Epochs = [new EpochRecord(7, 1, 2, true), new EpochRecord(9, 3, null, false)],
        };
        var done = under.State.BeginAcknowledge(new AckRequest(null, new Cursor(9, 3)), history);
        Assert.Equal([new Cursor(7, 1), new Cursor(7, 2), new Cursor(9, 3)],
            done.Value!.Select(each => Cursor.TryParse(each.Id, out var id) ? id : default));
        under.Save();
        under.Change(policy => policy with { Mode = SubscriberMode.Compete });
        Assert.Equal(ErrorCode.InvalidInput,
            under.State.BeginAcknowledge(new AckRequest(null, new Cursor(9, 4)), history).Refusal?.Code);
        Assert.Equal([4], under.Pending);
    }

    [Fact]
    public void Since_when_a_webhook_fails_is_kept_over_restarts_until_it_takes_an_event_or_is_set_again()
    {
        var (under, failing) = (new SubscriptionUnderTest(), new PushFailing(5, 7));
        SetUrl("https://one.example/");
        under.Publish(3);
        Fail();
        Assert.Equal(failing, under.State.Failing);
        under.Receive(under.Attach(isPush: true));
        under.Acknowledge(2);
        Assert.Null(under.State.Failing);
        under.Restart();
        Assert.Null(under.State.Failing);

        Fail();
        SetUrl("https://one.example/");
        Assert.Equal(failing, under.State.Failing);
        SetUrl("https://two.example/");
        Assert.Null(under.State.Failing);
        under.Restart();
        Assert.Null(under.State.Failing);

        Fail();
        under.State.BeginDisable("http 500");
        under.Save();
        Assert.Equal(failing, under.State.Failing);
        SetUrl("https://two.example/");
        under.Restart();
        Assert.Null(under.State.Failing);

        void SetUrl(string url) => under.Change(policy => policy with
        {
            Webhook = new WebhookPolicy { Url = url, Secret = "s" },
        });

        void Fail()
        {
            under.Pass(10);
            under.Receive(under.Attach(isPush: true));
            under.State.Nack([1], null, "http 500", under.Now, failing);
            under.Save();
            under.Restart();
        }
    }

    [Fact]
    public void An_ordinary_event_whose_acknowledgement_failed_is_not_owed_for_ever()
    {
        var under = new SubscriptionUnderTest(SubscriberPolicy.Default with { OwesAll = true });
        under.Publish(critical: false, durable: false);
        under.State.BeginAcknowledge(1);
        under.BeginSave();
        under.Pass(40);
        under.Saved(happens: false, succeeds: false);
        under.Pass(1);
        Assert.Empty(under.Pending);
    }

    [Fact]
    public void Attempts_histories_counts_and_policy_survive_a_restart()
    {
        var under = new SubscriptionUnderTest();
        under.Change(policy => policy with { MaxAttempts = 3, Mode = SubscriberMode.Compete });
        under.Publish(2);
        var slot = under.Attach();
        under.Receive(slot);
        under.Nack(1);
        under.Pass(1);
        under.Receive(slot);
        under.Acknowledge(2);
        var counts = under.State.Counts;
        under.Restart();
        Assert.Equal(new SubscriberCounts(1, 1, 1, 0), counts);
        Assert.Equal(counts, under.State.Counts);
        Assert.Equal((2, 3), (under.AttemptsOf(1), under.State.Policy.MaxAttempts));
        Assert.Equal(["nack"], under.HistoryOf(1));
        Assert.True(under.State.IsExplicit);
    }

    [Fact]
    public void The_last_delivery_before_a_restart_may_still_be_acknowledged()
    {
        var under = new SubscriptionUnderTest();
        under.Change(policy => policy with { MaxAttempts = 1 });
        under.Publish();
        under.Receive(under.Attach());
        under.Save();
        under.Restart();
        under.Pass(29);
        Assert.False(under.State.IsParking);
        under.Pass(1);
        Assert.True(under.State.IsParking);
    }

    [Fact]
    public void A_policy_that_could_not_be_stored_has_no_effect_and_two_changes_at_once_have_both()
    {
        var under = new SubscriptionUnderTest();
        under.State.BeginChange(under.State.NextPolicy with { MaxAttempts = 9 });
        under.Save(happens: false, succeeds: false);
        Assert.Equal(4, under.State.Policy.MaxAttempts);
        under.State.BeginChange(under.State.NextPolicy with { MaxAttempts = 9 });
        under.State.BeginChange(under.State.NextPolicy with { MaxPending = 7 });
        under.BeginSave();
        under.State.BeginDisable("gone");
        under.Saved();
        under.Save();
        Assert.Equal((9, 7, "gone"), (under.State.Policy.MaxAttempts, under.State.Policy.MaxPending,
            under.State.Disabled));
    }

    [Fact]
    public void The_state_of_an_earlier_version_is_read()
    {
        var state = """{"createdMs":5,"lastSeenMs":6,"watermark":2,"acknowledged":[4,5],"removedMs":7}"""u8.ToArray();
        var old = new Subscription(new SubscriberRecord("s", state, []), SubscriberPolicy.Default, 9,
            SubscriptionLimits.Default);
        old.OweOlder(Enumerable.Range(1, 8).Select(seq => new ShownEvent(seq, 0, true, true, null)), default);
        Assert.Equal([3, 6, 7, 8], old.Pending(0, default).Select(each => each.Seq));
        Assert.Equal((5, 6, 7, 2), (old.CreatedMs, old.LastSeenMs, old.RemovedMs, old.Watermark));
    }

    [Theory]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("""{"createdMs":"x","lastSeenMs":0,"watermark":0}""")]
    [InlineData("""{"createdMs":0,"lastSeenMs":0,"watermark":0,"tries":[[1]]}""")]
    [InlineData("""{"createdMs":0,"lastSeenMs":0,"watermark":0,"tries":[[1,70000]]}""")]
    [InlineData("""{"createdMs":0,"lastSeenMs":0,"watermark":0,"acknowledged":[1e99]}""")]
    [InlineData("""{"createdMs":0,"lastSeenMs":0,"watermark":0,"policy":{"mode":"x"}}""")]
    public void A_state_that_is_damaged_is_said_to_be(string state) => Assert.Throws<FormatException>(() =>
        new Subscription(new SubscriberRecord("s", Encoding.UTF8.GetBytes(state), []), SubscriberPolicy.Default, 0,
            SubscriptionLimits.Default));

    [Fact]
    public void Memory_stays_bounded_while_the_oldest_event_is_never_acknowledged_or_nobody_reads()
    {
        var under = new SubscriptionUnderTest(SubscriberPolicy.Default with { OwesAll = true, MaxPending = 100 });
        var entries = typeof(Subscription).GetField("_owed", BindingFlags.NonPublic | BindingFlags.Instance)!;
        var kept = (System.Collections.ICollection)entries.GetValue(under.State)!;
        for (var i = 0; i < 20_000; i++) under.Publish(critical: false, durable: false);
        Assert.InRange(kept.Count, 100, 400);
        under.Publish();
        for (var i = 0; i < 5_000; i++)
        {
            under.Publish();
            under.Acknowledge(under.Head);
        }
        Assert.InRange(kept.Count, 1, 400);
        Assert.InRange(under.Store.State!.Length, 1, 5000);
    }
}
