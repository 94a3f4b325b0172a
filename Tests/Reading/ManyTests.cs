using System.Globalization;
using OrleansEvents.Tests.Http;
using Xunit;

namespace OrleansEvents.Tests.Reading;

public sealed class ManyTests
{
    [Fact]
    public async Task Names_and_patterns_are_read_on_one_connection()
    {
        await using var server = await TestServer.Start();
        await server.Numbers("x", 1, 1);
        await server.Numbers("a.b", 2, 2);
        await server.Numbers("a.b.c", 3, 3);
        await server.Numbers("c.d.e", 4, 4);
        await server.Numbers("other", 5, 5);
        await using var reader = await SseReader.Many(server, "x,a.*,c.>");
        var connected = await reader.Next("connected");
        Assert.NotNull(connected.Id);
        Assert.Equal("""["x","a.*","c.>"]""", connected.Json.GetProperty("streams").GetRawText());
        var events = await reader.Events(3);
        Assert.Equal([1, 2, 4], events.Numbers().Order());
        Assert.All(events, each => Assert.Null(each.Id));
        Assert.Equal(["a.b", "c.d.e", "x"], events.Select(each => each.Text("stream")).Order());
    }

    [Fact]
    public async Task Everything_is_not_the_servers_own_stream()
    {
        await using var server = await TestServer.Start();
        await server.Engine().PublishFast("$system", "1");
        await using var reader = await SseReader.Many(server, ">");
        await reader.Next("connected");
        await server.Engine().PublishFast("$system", "2");
        await server.Numbers("s", 3, 3);
        Assert.Equal([3], (await reader.Events(1)).Numbers());
        await using var named = await SseReader.Many(server, "$system,s");
        Assert.Equal([1, 2, 3], (await named.Events(3)).Numbers().Order());
    }

    [Fact]
    public async Task A_stream_that_appears_is_read_from_its_beginning_and_once()
    {
        await using var server = await TestServer.Start();
        // The name, and both patterns, match the one stream.
        await using var reader = await SseReader.Many(server, "a.b,a.*,>");
        await reader.Next("connected");
        await server.Numbers("a.b", 1, 50);
        Assert.Equal(1.To(50), (await reader.Events(50)).Numbers());
        await server.Numbers("a.b", 51, 51);
        await server.Numbers("last", 52, 52);
        Assert.Equal([51, 52], (await reader.Events(2)).Numbers().Order());
    }

    [Fact]
    public async Task Streams_that_appear_while_connections_begin_are_all_read_once()
    {
        await using var server = await TestServer.Start();
        const int Streams = 120;
        var publishing = Task.Run(async () =>
        {
            var engine = server.Engine();
            for (var i = 1; i <= Streams; i++)
            {
                await engine.PublishFast($"a.{i}", i.ToString(CultureInfo.InvariantCulture));
                await engine.PublishFast($"a.{i}", (1000 + i).ToString(CultureInfo.InvariantCulture));
                if (i % 4 == 0) await Task.Delay(1);
            }
        });
        async Task Read()
        {
            await using var reader = await SseReader.Many(server, "a.*,>");
            var numbers = (await reader.Events(2 * Streams)).Numbers();
            Assert.Equal([.. 1.To(Streams), .. 1001.To(1000 + Streams)], numbers.Order());
        }
        var readers = new List<Task>();
        for (var i = 0; i < 16; i++) readers.Add(Read());
        await publishing;
        await Task.WhenAll(readers);
    }

    [Fact]
    public async Task A_stream_that_is_made_again_appears_again()
    {
        await using var server = await TestServer.Start();
        await server.Numbers("a.b", 1, 2);
        await using var reader = await SseReader.Many(server, "a.*");
        await reader.Events(2);
        for (var round = 0; round < 3; round++)
        {
            await server.Delete("/api/streams/a.b");
            Assert.Equal("deleted", (await reader.Next("end")).Text("reason"));
            await server.Numbers("a.b", 10 * round, 10 * round + 1);
            Assert.Equal([10 * round, 10 * round + 1], (await reader.Events(2)).Numbers());
        }
    }

    [Fact]
    public async Task The_position_comes_when_nothing_more_does_and_else_once_a_second()
    {
        await using var server = await TestServer.Start();
        await using var reader = await SseReader.Many(server, "a.*");
        await reader.Next("connected");
        var started = System.Diagnostics.Stopwatch.StartNew();
        for (var i = 1; i <= 60; i++)
        {
            await server.Numbers("a.b", i, i);
            await reader.Events(1);
        }
        var last = await reader.Next(frame => frame.Id is not null);
        var positions = reader.Frames.Count(frame => frame.Id is not null) - 1;
        Assert.InRange(positions, 1, (int)started.Elapsed.TotalSeconds + 2);
        await server.Numbers("a.c", 61, 62);
        await using var again = await SseReader.Many(server, "a.*", lastEventId: last.Id);
        Assert.Equal(last.Id, (await again.Next("connected")).Id);
        Assert.Equal([61, 62], (await again.Events(2)).Numbers());
    }

    [Fact]
    public async Task Resuming_from_any_position_repeats_little_and_loses_nothing()
    {
        await using var server = await TestServer.Start();
        foreach (var stream in new[] { "a.1", "a.2", "b" }) await server.Numbers(stream, 1, 20);
        var seen = new Dictionary<string, SortedSet<long>>();
        string? position = null;
        for (var round = 0; round < 12; round++)
        {
            await using var reader = await SseReader.Many(server, "a.*,b", lastEventId: position);
            for (var frames = 1 + round % 5; frames > 0; frames--)
                if (await reader.Next() is { IsEvent: true } frame) Add(seen, frame);
            position = reader.LastId;
            await server.Numbers($"a.{round % 3 + 1}", 100 + round, 100 + round);
        }
        await using var rest = await SseReader.Many(server, "a.*,b", lastEventId: position);
        while (seen.Values.Sum(set => set.Count) < 72) Add(seen, (await rest.Events(1))[0]);
        Assert.All(seen.Values, set => Assert.Equal(set.Max, set.Count));
    }

    [Fact]
    public async Task Each_stream_tells_its_own_gap()
    {
        await using var server = await TestServer.Start("--Streams:Buffer", "3");
        await server.Numbers("a", 1, 2);
        await server.Numbers("b", 1, 2);
        await using var reader = await SseReader.Many(server, "a,b");
        await reader.Events(4);
        var position = (await reader.Next(frame => frame.Id is not null)).Id;
        await server.Numbers("b", 3, 10);
        await using var again = await SseReader.Many(server, "a,b", lastEventId: position);
        var gap = await again.Next("gap");
        Assert.Equal(("b", "evicted", 5), (gap.Text("stream"), gap.Text("reason"), gap.Missed()));
        Assert.Null(gap.Id);
        Assert.Equal([8, 9, 10], (await again.Events(3)).Numbers());
        await using var reset = await SseReader.Many(server, "a,b", lastEventId: "nonsense");
        for (var i = 0; i < 2; i++) Assert.Equal("reset", (await reset.Next("gap")).Text("reason"));
        (await server.Get("/api/events?streams=a,b&after=nonsense")).MustRefuse(400, "INVALID_INPUT");
    }

    [Fact]
    public async Task What_a_new_stream_lost_before_it_was_read_is_a_gap()
    {
        await using var server = await TestServer.Start("--Streams:Buffer", "3");
        await server.Numbers("a", 1, 1);
        await using var reader = await SseReader.Many(server, ">");
        await reader.Events(1);
        var position = (await reader.Next(frame => frame.Id is not null)).Id;
        await reader.DisposeAsync();
        await server.Numbers("b", 1, 5);
        await using var again = await SseReader.Many(server, ">", lastEventId: position);
        var gap = await again.Next("gap");
        Assert.Equal(("b", "evicted", 2), (gap.Text("stream"), gap.Text("reason"), gap.Missed()));
        Assert.Equal([3, 4, 5], (await again.Events(3)).Numbers());
    }

    [Fact]
    public async Task A_position_that_would_be_too_long_is_a_time_and_loses_nothing()
    {
        await using var server = await TestServer.Start("--Limits:PositionBytes", "64");
        for (var i = 0; i < 5; i++) await server.Numbers($"a.{i}", i * 10, i * 10 + 4);
        await using var reader = await SseReader.Many(server, "a.*");
        var connected = await reader.Next("connected");
        Assert.StartsWith("s", connected.Id, StringComparison.Ordinal);
        // Cut before anything came: all of it is still to come.
        await using var second = await SseReader.Many(server, "a.*", lastEventId: connected.Id);
        Assert.Equal(25, (await second.Events(25)).Numbers().Distinct().Count());
        var position = (await second.Next(frame => frame.Id is not null)).Id;
        Assert.StartsWith("s", position, StringComparison.Ordinal);
        await server.Numbers("a.3", 100, 101);
        await server.Numbers("a.9", 200, 200);
        await using var third = await SseReader.Many(server, "a.*", lastEventId: position);
        var seen = new HashSet<int>();
        while (!seen.IsSupersetOf([100, 101, 200])) seen.Add((await third.Events(1))[0].Number());
    }

    [Fact]
    public async Task A_time_tells_of_what_was_evicted_since()
    {
        await using var server = await TestServer.Start("--Limits:PositionBytes", "64", "--Streams:Buffer", "5");
        for (var i = 0; i < 5; i++) await server.Numbers($"a.{i}", 1, 3);
        await using var reader = await SseReader.Many(server, "a.*");
        await reader.Events(15);
        var position = (await reader.Next(frame => frame.Id is not null)).Id;
        await server.Numbers("a.2", 4, 20);
        await using var again = await SseReader.Many(server, "a.*", lastEventId: position);
        var gap = await again.Next("gap");
        Assert.Equal(("a.2", "evicted"), (gap.Text("stream"), gap.Text("reason")));
        await again.Next(frame => frame.IsEvent && frame.Number() == 20);
        Assert.Single(again.Frames, frame => frame.Event == "gap");
    }

    [Fact]
    public async Task A_poll_over_many_streams_goes_on_from_its_cursor()
    {
        await using var server = await TestServer.Start();
        for (var i = 0; i < 3; i++) await server.Numbers($"a.{i}", i * 10, i * 10 + 9);
        var seen = new List<int>();
        for (var (cursor, more) = ("0", true); more;)
        {
            var page = (await server.Get($"/api/events?streams=a.*&limit=7&after={cursor}")).Json;
            seen.AddRange(page.NumbersOf());
            (cursor, more) = (page.Cursor(), page.GetProperty("more").GetBoolean());
            if (more) continue;
            await using var reader = await SseReader.Many(server, "a.*", lastEventId: cursor);
            await server.Numbers("a.1", 100, 100);
            seen.AddRange((await reader.Events(1)).Numbers());
        }
        Assert.Equal([.. 0.To(29), 100], seen.Order());
    }

    private static void Add(Dictionary<string, SortedSet<long>> seen, SseFrame frame)
    {
        if (!seen.TryGetValue(frame.Text("stream"), out var set)) seen[frame.Text("stream")] = set = [];
        set.Add(frame.Seq);
    }
}
