using System.Net;
using OrleansEvents.Tests.Http;
using Xunit;

namespace OrleansEvents.Tests.Reading;

public sealed class PollTests
{
    [Fact]
    public async Task A_page_says_where_it_ends_and_whether_there_is_more()
    {
        await using var server = await TestServer.Start();
        await server.Numbers("s", 1, 10);
        var page = await server.Poll("s", "limit=4");
        Assert.Equal(["events", "cursor", "head", "oldest", "more", "completed"], page.Members());
        Assert.Equal([1, 2, 3, 4], page.NumbersOf());
        Assert.True(page.GetProperty("more").GetBoolean());
        Assert.Equal(page.GetProperty("events")[3].GetProperty("id").GetString(), page.Cursor());
        page = await server.Poll("s", $"after={page.Cursor()}&limit=6");
        Assert.Equal(5.To(10), page.NumbersOf());
        Assert.False(page.GetProperty("more").GetBoolean());
        Assert.Equal(page.GetProperty("head").GetString(), page.Cursor());
        Assert.Empty((await server.Poll("s", $"after={page.Cursor()}")).NumbersOf());
        Assert.Empty((await server.Poll("s", "after=$")).NumbersOf());
        Assert.Equal(page.Cursor(), (await server.Poll("s", "after=$")).Cursor());
    }

    [Fact]
    public async Task The_cursor_passes_events_that_did_not_match()
    {
        await using var server = await TestServer.Start();
        await server.Numbers("s", 1, 5);
        var page = await server.Poll("s", "types=none");
        Assert.Empty(page.NumbersOf());
        Assert.Equal(page.GetProperty("head").GetString(), page.Cursor());
    }

    [Fact]
    public async Task A_held_poll_is_answered_when_something_comes()
    {
        await using var server = await TestServer.Start();
        await server.Numbers("s", 1, 1);
        Task<System.Text.Json.JsonElement>[] polls =
            [server.Poll("s", "after=$&wait=30"), server.Poll("s", "after=$&wait=30&types=t")];
        var absent = server.Poll("later", "wait=30");
        var absentHead = server.Poll("later", "after=$&wait=30");
        await Readers(server, "s", 2);
        await Readers(server, "later", 2);
        await server.Numbers("s", 2, 2, type: "other");
        await server.Numbers("s", 3, 3);
        await server.Numbers("later", 1, 1);
        Assert.Equal(2, (await polls[0]).NumbersOf()[0]);
        Assert.Equal([3], (await polls[1]).NumbersOf());
        Assert.Equal([1], (await absent).NumbersOf());
        Assert.Equal([1], (await absentHead).NumbersOf());
    }

    [Fact]
    public async Task A_held_poll_ends_empty_when_its_time_is_over()
    {
        await using var server = await TestServer.Start();
        await server.Numbers("s", 1, 1);
        var page = await server.Poll("s", "after=$&wait=0.2");
        Assert.Empty(page.NumbersOf());
        Assert.Equal(page.GetProperty("head").GetString(), page.Cursor());
        Assert.False(page.GetProperty("completed").GetBoolean());
        page = await server.Poll("absent", "wait=0.05");
        Assert.Empty(page.NumbersOf());
        Assert.Equal("0", page.Cursor());
    }

    [Fact]
    public async Task No_held_poll_misses_an_event_that_comes_while_it_begins()
    {
        await using var server = await TestServer.Start();
        await server.Configure("s", """{"buffer":1000}""");
        var publishing = Task.Run(async () =>
        {
            var engine = server.Engine();
            for (var i = 1; i <= 300; i++)
            {
                await engine.PublishFast("s", i.ToString(System.Globalization.CultureInfo.InvariantCulture));
                await Task.Yield();
                if (i % 10 == 0) await Task.Delay(2);
            }
        });
        async Task Follow()
        {
            var seen = new List<int>();
            for (var cursor = "0"; seen.Count < 300;)
            {
                var page = await server.Poll("s", $"after={cursor}&wait=30");
                Assert.NotEmpty(page.NumbersOf());
                seen.AddRange(page.NumbersOf());
                cursor = page.Cursor();
            }
            Assert.Equal(1.To(300), seen);
        }
        await Task.WhenAll(Follow(), Follow(), Follow());
        await publishing;
    }

    [Fact]
    public async Task A_page_of_a_completed_stream_says_so_and_does_not_wait()
    {
        await using var server = await TestServer.Start();
        await server.Numbers("s", 1, 2);
        var held = server.Poll("s", "after=$&wait=30");
        await Readers(server, "s", 1);
        (await server.Post("/api/streams/s/complete")).Must(HttpStatusCode.OK);
        Assert.True((await held).GetProperty("completed").GetBoolean());
        var page = await server.Poll("s", "wait=30");
        Assert.Equal([1, 2], page.NumbersOf());
        Assert.True(page.GetProperty("completed").GetBoolean());
        Assert.True((await server.Poll("s", $"after={page.Cursor()}&wait=30")).GetProperty("completed").GetBoolean());
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task Whoever_changes_between_SSE_and_polling_sees_each_event_once(int seed)
    {
        var random = new Random(seed);
        await using var server = await TestServer.Start("--Sse:HeartbeatMin", "0.01");
        await server.Configure("s", """{"buffer":2000}""");
        const int Count = 400;
        var publishing = Task.Run(async () =>
        {
            for (var i = 1; i <= Count; i++)
            {
                await server.Publish("s", $$"""{"type":"{{(i % 3 == 0 ? "other" : "t")}}","data":{{i}}}""");
            }
        });
        var seen = new List<int>();
        string? cursor = null;
        while (seen.Count < Count - Count / 3)
        {
            if (random.Next(2) == 0)
            {
                var page = await server.Poll("s", $"types=t&limit={random.Next(1, 40)}&wait=1&after={cursor}");
                seen.AddRange(page.NumbersOf());
                cursor = page.Cursor();
                continue;
            }
            await using var reader = await SseReader.Stream(server, "s", "types=t&heartbeat=0.05", cursor);
            for (var frames = random.Next(1, 30); frames > 0; frames--)
                if (await reader.Next() is { IsEvent: true } frame) seen.Add(frame.Number());
            Assert.DoesNotContain(reader.Frames, frame => frame.Event == "gap");
            cursor = reader.LastId;
        }
        await publishing;
        Assert.Equal(1.To(Count).Where(i => i % 3 != 0), seen);
    }

    /// <summary>Waits until so many polls are held.</summary>
    private static Task Readers(TestServer server, string stream, int count) => Given.Until(async () =>
    {
        using var lease = (await server.Engine().Follow(stream)).Value!;
        return lease.Feed.Watchers >= count;
    });
}
