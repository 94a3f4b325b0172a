using OrleansEvents.Api.Embedded;
using OrleansEvents.Streams;
using OrleansEvents.Tests.Streams;
using Xunit;

namespace OrleansEvents.Tests.Embedded;

public sealed class EmbeddedStreamsTests
{
    [Fact]
    public void A_stream_that_opens_while_its_last_reader_leaves_has_one_owner()
    {
        using var under = new EngineUnderTest();
        var reader = under.Follow("x");
        var publish = under.BeginPublish("x", "1");
        reader.Dispose();
        var first = under.Finish(publish).Value.First;
        var second = under.Publish("x", "2").Value.First;
        Assert.Equal(first with { Seq = 2 }, second);
    }

    [Fact]
    public void While_storage_is_down_ordinary_events_go_on_and_durable_ones_are_refused_until_it_is_back()
    {
        using var under = new EngineUnderTest();
        under.Publish("x", "1");
        under.Log.IsDown = true;
        Assert.Equal(ErrorCode.StoreUnavailable, under.Publish("x", "2", critical: true).Refusal!.Value.Code);
        Assert.Equal(ErrorCode.CircuitOpen, under.Publish("x", "3", critical: true).Refusal!.Value.Code);
        Assert.Null(under.Publish("x", "4").Refusal);
        under.Pass(30);
        Assert.Null(under.Publish("x", "5").Refusal);
        under.Log.IsDown = false;
        under.Pass(3);
        Assert.Null(under.Publish("x", "6", critical: true).Refusal);
        using var lease = under.Follow("x");
        Assert.Equal(["1", "4", "5", "6"], StreamUnderTest.Read(lease.Feed, 0).Select(one => one.Data));
    }

    [Fact]
    public void A_reopening_that_happened_though_it_failed_is_repeated()
    {
        using var under = new EngineUnderTest();
        under.Publish("x", "1");
        var publish = under.BeginPublish("x", "2", critical: true);
        under.Log.ComeBack(happens: false, fails: true);
        under.Turn();
        Assert.NotNull(under.Finish(publish).Refusal);
        under.Time.Pass(TimeSpan.FromSeconds(1.1));
        under.Turn();
        under.Log.ComeBack(happens: true, fails: false);
        under.Turn();
        // The probe has answered; this is the reopening.
        under.Log.ComeBack(happens: true, fails: true);
        under.Turn();
        under.Pass(5);
        Assert.Null(under.Publish("x", "3", critical: true).Refusal);
    }

    [Fact]
    public void An_event_acknowledged_by_a_second_request_stays_so_though_the_first_could_not_be_saved()
    {
        using var under = new EngineUnderTest();
        using var lease = under.Follow("x");
        using var session = under.Finish(under.Engine.Subscribe("x", "s", SessionKind.Connection)).Value!;
        var id = under.Publish("x", "1", critical: true).Value.First;
        var first = under.BeginAcknowledge("x", "s", id);
        var second = under.BeginAcknowledge("x", "s", id);
        under.Log.ComeBack(happens: false, fails: true);
        Assert.Null(under.Finish(second).Refusal);
        Assert.Equal(ErrorCode.StoreUnavailable, under.Finish(first).Refusal!.Value.Code);
        Assert.Empty(under.Pending("x", "s"));
        under.Crash();
        Assert.Empty(under.Pending("x", "s"));
    }

    [Fact]
    public void What_was_published_before_a_registration_is_owed_whatever_is_acknowledged_while_it_runs()
    {
        using var under = new EngineUnderTest();
        under.Publish("x", "1", critical: true);
        using var lease = under.Follow("x");
        var subscribe = under.Engine.Subscribe("x", "s", SessionKind.Connection).AsTask();
        under.Turn();
        var publish = under.BeginPublish("x", "2", critical: true);
        // Both writes come back, the registration's reading not yet.
        under.Log.ComeBack(happens: true, fails: false);
        under.Log.ComeBack(happens: true, fails: false);
        under.Turn();
        var acknowledge = under.BeginAcknowledge("x", "s", EngineUnderTest.Answered(publish).Value.First);
        Assert.Null(under.Finish(acknowledge).Refusal);
        using var session = under.Finish(subscribe).Value!;
        Assert.Equal([1], under.Pending("x", "s"));
    }

    [Fact]
    public void Settings_that_two_change_at_once_are_both_changed()
    {
        using var under = new EngineUnderTest();
        under.Publish("x", "1");
        var buffer = under.Engine.Configure("x", "{\"buffer\":7}"u8.ToArray(), CancellationToken.None).AsTask();
        var backlog = under.Engine.Configure("x", "{\"backlog\":9}"u8.ToArray(), CancellationToken.None).AsTask();
        Assert.Equal(7, under.Finish(buffer).Value!.Settings.Buffer);
        var settings = under.Finish(backlog).Value!.Settings;
        Assert.Equal((7, 9), (settings.Buffer, settings.Backlog));
    }

    [Fact]
    public void A_removal_that_happened_though_it_failed_can_be_repeated()
    {
        using var under = new EngineUnderTest();
        under.Publish("x", "1");
        var delete = under.Engine.Delete("x", CancellationToken.None).AsTask();
        under.Turn();
        under.Log.ComeBack(happens: true, fails: true);
        Assert.Equal(ErrorCode.StoreUnavailable, under.Finish(delete).Refusal!.Value.Code);
        under.Pass(2);
        Assert.Null(under.Finish(under.Engine.Delete("x", CancellationToken.None)).Refusal);
        Assert.Equal(ErrorCode.NotFound, under.Finish(under.Engine.Describe("x")).Refusal!.Value.Code);
    }

    [Fact]
    public void Two_that_end_and_remove_a_stream_at_once_are_both_answered()
    {
        using var under = new EngineUnderTest();
        under.Publish("x", "1");
        var delete = under.Engine.Delete("x", CancellationToken.None).AsTask();
        var complete = under.Engine.Complete("x", CancellationToken.None).AsTask();
        var again = under.Engine.Delete("x", CancellationToken.None).AsTask();
        Assert.Null(under.Finish(delete).Refusal);
        Assert.Equal(ErrorCode.NotFound, under.Finish(complete).Refusal!.Value.Code);
        Assert.Equal(ErrorCode.NotFound, under.Finish(again).Refusal!.Value.Code);
    }

    [Fact]
    public void What_storage_has_of_a_commit_that_is_not_visible_is_not_read()
    {
        using var under = new EngineUnderTest();
        under.Finish(under.Engine.Configure("x", "{\"durable\":true}"u8.ToArray(), CancellationToken.None));
        under.Publish("x", "1");
        var late = under.BeginPublish("x", "2");
        under.Log.Happen();
        Assert.Equal(1, ReadAll());
        under.Time.Pass(TimeSpan.FromSeconds(6));
        under.Turn();
        Assert.Equal(ErrorCode.StoreUnavailable, Assert.NotNull(EngineUnderTest.Answered(late).Refusal).Code);
        Assert.Equal(1, ReadAll());

        int ReadAll()
        {
            var read = under.Engine.ReadStored("x", 0, 100, 10_000).AsTask();
            under.Turn();
            under.Log.ReadComesBack();
            under.Turn();
            using var run = EngineUnderTest.Answered(read).Value!;
            return run.Count;
        }
    }

    [Fact]
    public void A_stream_that_is_durable_by_default_is_whole_after_a_crash()
    {
        using var under = new EngineUnderTest(StreamSettings.Default with { Durable = true, Buffer = 2 });
        for (var i = 0; i < 5; i++) under.Publish("x", "1");
        ReadFrom from;
        using (var lease = under.Follow("x")) from = ReadFrom.After(lease.Feed.History.At(1));
        under.Crash();
        using var again = under.Follow("x");
        Assert.Equal(new ReadStart(1, null, again.Feed.History.Epoch), again.Feed.Resolve(from));
    }

    [Fact]
    public void A_stream_waits_for_one_look_and_for_none_when_it_is_gone()
    {
        using var under = new EngineUnderTest();
        using var deadlines = new Deadlines(under.Time);
        using var host = new StreamHost("x", under.Context, deadlines, _ => { }, _ => { }, (_, _) => { });
        under.Finish(host.EnsureOpen(create: true));
        for (var i = 0; i < 50; i++)
        {
            host.TryAppend([StreamUnderTest.Event("1", critical: i % 3 == 0, key: i % 2 == 0 ? $"k{i}" : null)], null);
            under.Settle();
            under.Pass(1.5);
            Assert.Equal(1, deadlines.Count);
        }
        under.Pass(1000);
        Assert.Equal((true, 0), (host.IsGone, deadlines.Count));
    }
}
