using OrleansEvents.Streams;
using Xunit;

namespace OrleansEvents.Tests.Streams;

/// <summary>Where a reader begins, as a table. The ring holds 51 to 100, numbered by epoch 3 (from 41 on); epoch 2
/// gave 21 to 40, epoch 1 gave 1 to 20.</summary>
public sealed class ResolveTests
{
    [Theory]
    // Nothing crashed.
    [InlineData("graceful graceful", "buffer", 50, null, null)]
    [InlineData("graceful graceful", "$", 100, null, null)]
    [InlineData("graceful graceful", "0", 50, "Evicted", null)]
    [InlineData("graceful graceful", "unknown", 50, "Reset", null)]
    [InlineData("graceful graceful", "3:100", 100, null, null)]
    [InlineData("graceful graceful", "3:70", 70, null, null)]
    [InlineData("graceful graceful", "3:50", 50, null, null)]
    [InlineData("graceful graceful", "3:49", 50, "Evicted", 1)]
    [InlineData("graceful graceful", "3:40", 50, "Evicted", 10)]
    [InlineData("graceful graceful", "3:39", 50, "Evicted", null)]
    [InlineData("graceful graceful", "2:40", 50, "Evicted", 10)]
    [InlineData("graceful graceful", "2:30", 50, "Evicted", null)]
    [InlineData("graceful graceful", "1:5", 50, "Evicted", null)]
    [InlineData("graceful graceful", "3:101", 50, "Reset", null)]
    [InlineData("graceful graceful", "2:41", 50, "Reset", null)]
    [InlineData("graceful graceful", "9:60", 50, "Reset", null)]
    // The last opening before this one crashed.
    [InlineData("graceful crash", "buffer", 50, null, null)]
    [InlineData("graceful crash", "0", 50, "Restart", null)]
    [InlineData("graceful crash", "3:60", 60, null, null)]
    [InlineData("graceful crash", "3:45", 50, "Evicted", 5)]
    [InlineData("graceful crash", "2:40", 50, "Restart", null)]
    [InlineData("graceful crash", "1:5", 50, "Restart", null)]
    // The first crashed, the second did not.
    [InlineData("crash graceful", "2:30", 50, "Evicted", null)]
    [InlineData("crash graceful", "1:20", 50, "Restart", null)]
    [InlineData("crash graceful", "0", 50, "Restart", null)]
    // Durable since 0, nothing trimmed: storage has it all, whatever crashed.
    [InlineData("crash crash since:0", "buffer", 50, null, null)]
    [InlineData("crash crash since:0", "0", 0, null, null)]
    [InlineData("crash crash since:0", "1:5", 5, null, null)]
    [InlineData("crash crash since:0", "2:40", 40, null, null)]
    [InlineData("crash crash since:0", "2:41", 50, "Reset", null)]
    // Durable since 30: before that, as any other.
    [InlineData("crash crash since:30", "2:30", 30, null, null)]
    [InlineData("crash crash since:30", "2:29", 30, "Restart", null)]
    [InlineData("graceful crash since:30", "1:10", 30, "Restart", null)]
    [InlineData("graceful graceful since:30", "1:10", 30, "Evicted", null)]
    // Trimmed to 45.
    [InlineData("crash crash since:0 trimmed:45", "3:45", 45, null, null)]
    [InlineData("crash crash since:0 trimmed:45", "3:42", 45, "Evicted", 3)]
    [InlineData("crash crash since:0 trimmed:45", "1:10", 45, "Evicted", null)]
    [InlineData("crash crash since:0 trimmed:45", "0", 45, "Evicted", null)]
    // 43 and 44 were burnt.
    [InlineData("graceful graceful burnt:43-44", "3:40", 50, "Evicted", 8)]
    [InlineData("graceful graceful burnt:43-44", "3:43", 50, "Evicted", 6)]
    [InlineData("graceful graceful burnt:49-50", "3:48", 50, null, null)]
    [InlineData("graceful graceful burnt:49-50 countable:46", "3:45", 50, "Evicted", null)]
    public void A_position_is_resolved(string past, string from, long seq, string? reason, int? missed)
    {
        var feed = Feed(past.Split(' '));
        var start = feed.Resolve(From(from));
        Assert.Equal(seq, start.Seq);
        Assert.Equal((reason, missed), (start.Gap?.Reason.ToString(), (int?)start.Gap?.Missed));
        if (start.Gap is not { } gap) return;
        Assert.Equal(From(from).Text, gap.After);
        Assert.Equal(3UL, gap.ResumedAt.Epoch);
        Assert.True(gap.ResumedAt.Seq >= start.Seq);
    }

    [Fact]
    public void After_a_restart_the_line_is_whole_from_the_new_opening_on()
    {
        var feed = Feed(["graceful", "crash"], floor: 20);
        var start = feed.Resolve(ReadFrom.After(new Cursor(2, 25)));
        Assert.Equal((25, 40), (start.Seq, start.Gap!.Value.ResumedAt.Seq));
    }

    [Fact]
    public void An_opening_that_is_forgotten_is_a_reset()
    {
        var under = new StreamUnderTest();
        under.Append(StreamUnderTest.Event("1"));
        var cursor = ReadFrom.After(under.Feed.History.At(1));
        for (var opening = 2; opening <= IEventLog.EpochsKept; opening++)
        {
            under.CloseGracefully();
            under.Open();
            Assert.Equal(new ReadStart(1, null, under.Feed.History.Epoch), under.Feed.Resolve(cursor));
        }
        under.CloseGracefully();
        under.Open();
        Assert.Equal(GapReason.Reset, under.Feed.Resolve(cursor).Gap!.Value.Reason);
        Assert.Equal(IEventLog.EpochsKept, under.Feed.History.Epochs.Count);
    }

    [Fact]
    public void A_graceful_restart_of_an_empty_ring_makes_no_gap_though_numbers_were_burnt()
    {
        var under = new StreamUnderTest();
        var before = ReadFrom.After(under.Feed.History.At(0));
        under.Append(StreamUnderTest.Event("1", critical: true));
        under.Stream.CommitDone(under.Stream.NextCommit()!, false, under.Now);
        under.Reopen();
        under.CloseGracefully();
        under.Open();
        Assert.Equal(new ReadStart(0, null, under.Feed.History.Epoch), under.Feed.Resolve(before));
    }

    private static StreamFeed Feed(string[] past, long floor = 50)
    {
        var history = new StreamHistory
        {
            State = StreamState.Open,
            Epochs = [new(1, 1, 20, past[0] == "graceful"), new(2, 21, 40, past[1] == "graceful"), new(3, 41, null,
                false)],
        };
        foreach (var word in past[2..])
        {
            var (name, value) = (word[..word.IndexOf(':', StringComparison.Ordinal)], word[(word.IndexOf(':',
                StringComparison.Ordinal) + 1)..]);
            var numbers = value.Split('-').Select(text => long.Parse(text,
                System.Globalization.CultureInfo.InvariantCulture)).ToArray();
            history = name switch
            {
                "since" => history with { DurableSince = numbers[0] },
                "trimmed" => history with { TrimmedThrough = numbers[0] },
                "burnt" => history with { Burnt = [(numbers[0], numbers[1])] },
                _ => history with { CountableFrom = numbers[0] },
            };
        }
        var feed = new StreamFeed("x", new FeedMemory()) { History = history };
        feed.Begin(floor, 100);
        return feed;
    }

    private static ReadFrom From(string text)
    {
        if (text.Split(':') is [var epoch, var seq])
            return ReadFrom.After(new Cursor(ulong.Parse(epoch, System.Globalization.CultureInfo.InvariantCulture),
                long.Parse(seq, System.Globalization.CultureInfo.InvariantCulture)));
        return text switch
        {
            "buffer" => ReadFrom.Buffer,
            "0" => ReadFrom.Beginning,
            "$" => ReadFrom.Head,
            _ => ReadFrom.Unknown("nonsense"),
        };
    }
}
