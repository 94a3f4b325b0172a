using System.Text.Json;
using OrleansEvents.Tests.Http;
using Xunit;

namespace OrleansEvents.Tests.Reading;

public sealed class GapTests
{
    private static readonly string s_padding = new('x', 2000);

    [Fact]
    public async Task What_fell_out_of_the_buffer_meanwhile_is_counted()
    {
        await using var server = await TestServer.Start();
        await server.Configure("s", """{"buffer":10}""");
        await server.Numbers("s", 1, 5);
        var third = (await server.Poll("s")).GetProperty("events")[2].GetProperty("id").GetString()!;
        await server.Numbers("s", 6, 30);
        await using var reader = await SseReader.Stream(server, "s", lastEventId: third);
        Assert.Equal(third, (await reader.Next("connected")).Id);
        var gap = (await reader.Next())!;
        MustBe(gap, "evicted", third, 17);
        Assert.Equal(gap.Id, gap.Text("resumedAt"));
        Assert.Equal(21.To(30), (await reader.Events(10)).Numbers());
        // Whoever was told of the gap is not told again.
        await using var again = await SseReader.Stream(server, "s", lastEventId: gap.Id);
        Assert.Equal(21.To(30), (await again.Events(10)).Numbers());
        Assert.DoesNotContain(again.Frames, frame => frame.Event == "gap");
        var page = await server.Poll("s", $"after={third}");
        Assert.Equal(17, page.GetProperty("gap").GetProperty("missed").GetInt64());
        Assert.Equal(21.To(30), page.NumbersOf());
    }

    [Fact]
    public async Task Zero_tells_what_was_evicted_and_no_position_does_not()
    {
        await using var server = await TestServer.Start();
        await server.Configure("s", """{"buffer":4}""");
        await server.Numbers("s", 1, 10);
        await using var zero = await SseReader.Stream(server, "s", "after=0");
        MustBe(await zero.Next("gap"), "evicted", "0", 6);
        Assert.Equal(7.To(10), (await zero.Events(4)).Numbers());
        await using var absent = await SseReader.Stream(server, "s");
        Assert.Equal(7.To(10), (await absent.Events(4)).Numbers());
        Assert.DoesNotContain(absent.Frames, frame => frame.Event == "gap");
    }

    [Theory]
    [InlineData("1.1")]
    [InlineData("2.0")]
    public async Task A_reader_that_lags_behind_the_buffer_is_told_and_goes_on(string version)
    {
        await using var server = await TestServer.Start();
        await server.Configure("s", """{"buffer":100000,"bufferBytes":100000}""");
        await server.Numbers("s", 1, 1);
        await using var reader = await SseReader.Stream(server, "s", version: new Version(version));
        await reader.Events(1);
        var engine = server.Engine();
        // Far more than sockets and pipes hold.
        const int Last = 6000;
        for (var i = 2; i <= Last; i++) await engine.PublishFast("s", $"{{\"n\":{i},\"x\":\"{s_padding}\"}}");
        long seq = 1, missed = 0;
        while (seq < Last)
        {
            var frame = (await reader.Next())!;
            if (frame.Event == "gap")
            {
                Assert.Equal("slow", frame.Text("reason"));
                Assert.Equal(frame.Id, frame.Text("resumedAt"));
                Assert.Equal(reader.Frames[^2].Id, frame.Text("after"));
                missed += frame.Json.GetProperty("missed").GetInt64();
                Assert.True(missed > 0);
            }
            if (!frame.IsEvent) continue;
            Assert.Equal(seq + missed + 1, frame.Seq);
            (seq, missed) = (frame.Seq, 0);
        }
        Assert.Contains(reader.Frames, frame => frame.Event == "gap");
    }

    [Fact]
    public async Task After_a_crash_there_is_a_gap_and_what_survived_follows()
    {
        await using var server = await TestServer.StartOnDisk();
        await server.Numbers("s", 1, 2);
        await server.Numbers("s", 3, 3, critical: true);
        await server.Numbers("s", 4, 4);
        await using var before = await SseReader.Stream(server, "s");
        var events = await before.Events(4);
        await using var crashed = await server.Crashed();
        await using var reader = await SseReader.Stream(crashed, "s", lastEventId: events[1].Id);
        var gap = await reader.Next("gap");
        MustBe(gap, "restart", events[1].Id, null);
        Assert.Equal([3], (await reader.Events(1)).Numbers());
        await crashed.Numbers("s", 5, 5);
        Assert.Equal([5], (await reader.Events(1)).Numbers());
        var last = reader.LastId;
        await using var again = await SseReader.Stream(crashed, "s", lastEventId: last);
        await crashed.Numbers("s", 6, 6);
        Assert.Equal([6], (await again.Events(1)).Numbers());
        Assert.DoesNotContain(again.Frames, frame => frame.Event == "gap");
    }

    [Fact]
    public async Task A_graceful_restart_loses_nothing_and_makes_no_gap()
    {
        await using var server = await TestServer.StartOnDisk();
        await server.Numbers("s", 1, 20);
        await using var before = await SseReader.Stream(server, "s");
        var tenth = (await before.Events(20))[9].Id;
        for (var i = 0; i < 2; i++)
        {
            await before.DisposeAsync();
            await server.Restart();
        }
        await using var reader = await SseReader.Stream(server, "s", lastEventId: tenth);
        await server.Numbers("s", 21, 21);
        Assert.Equal(11.To(21), (await reader.Events(11)).Numbers());
        Assert.DoesNotContain(reader.Frames, frame => frame.Event == "gap");
    }

    [Fact]
    public async Task A_durable_stream_makes_no_gap_even_after_a_crash_and_is_read_back_from_storage()
    {
        await using var server = await TestServer.StartOnDisk();
        await server.Configure("s", """{"durable":true,"buffer":5}""");
        await server.Numbers("s", 1, 40);
        await using var before = await SseReader.Stream(server, "s", "after=0");
        var events = await before.Events(40);
        Assert.Equal(1.To(40), events.Numbers());
        await using var crashed = await server.Crashed();
        await using var reader = await SseReader.Stream(crashed, "s", lastEventId: events[2].Id);
        await crashed.Numbers("s", 41, 60);
        Assert.Equal(4.To(60), (await reader.Events(57)).Numbers());
        await using var zero = await SseReader.Stream(crashed, "s", "after=0");
        Assert.Equal(1.To(60), (await zero.Events(60)).Numbers());
        Assert.DoesNotContain(reader.Frames.Concat(zero.Frames), frame => frame.Event == "gap");
        Assert.Equal(1.To(60), await Pages(crashed, 7));
    }

    [Fact]
    public async Task What_was_trimmed_from_storage_is_a_gap_and_what_remains_there_follows()
    {
        await using var server = await TestServer.Start();
        await server.Configure("s", """{"durable":true,"buffer":2,"retention":{"count":20}}""");
        for (var i = 0; i < 6; i++) await server.Numbers("s", i * 10 + 1, i * 10 + 10);
        var first = 0;
        await Given.Until(async () => (first = (await server.Poll("s")).NumbersOf()[0]) > 1);
        await using var reader = await SseReader.Stream(server, "s", "after=0");
        MustBe(await reader.Next("gap"), "evicted", "0", first - 1);
        Assert.Equal(first.To(60), (await reader.Events(60 - first + 1)).Numbers());
    }

    [Fact]
    public async Task Another_history_is_a_reset()
    {
        await using var server = await TestServer.Start();
        await server.Numbers("s", 1, 3);
        var cursor = (await server.Poll("s")).Cursor();
        (await server.Delete("/api/streams/s")).Must(System.Net.HttpStatusCode.NoContent);
        await server.Numbers("s", 7, 8);
        await using var reader = await SseReader.Stream(server, "s", lastEventId: cursor);
        MustBe(await reader.Next("gap"), "reset", cursor, null);
        Assert.Equal([7, 8], (await reader.Events(2)).Numbers());
        var page = await server.Poll("s", $"after={cursor}");
        Assert.Equal("reset", page.GetProperty("gap").GetProperty("reason").GetString());
        Assert.Equal([7, 8], page.NumbersOf());
    }

    private static async Task<IReadOnlyList<int>> Pages(TestServer server, int limit)
    {
        var all = new List<int>();
        for (var (cursor, more) = ("0", true); more;)
        {
            var page = await server.Poll("s", $"after={cursor}&limit={limit}");
            Assert.False(page.TryGetProperty("gap", out _));
            all.AddRange(page.NumbersOf());
            (cursor, more) = (page.Cursor(), page.GetProperty("more").GetBoolean());
        }
        return all;
    }

    private static void MustBe(SseFrame gap, string reason, string? after, long? missed)
    {
        Assert.Equal("gap", gap.Event);
        Assert.Equal(["stream", "after", "resumedAt", "missed", "reason"], gap.Json.Members());
        Assert.Equal(reason, gap.Text("reason"));
        Assert.Equal(after, gap.Json.GetProperty("after").GetString());
        var said = gap.Json.GetProperty("missed");
        Assert.Equal(missed, said.ValueKind == JsonValueKind.Null ? null : said.GetInt64());
    }
}
