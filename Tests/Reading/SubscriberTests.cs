using System.Net;
using OrleansEvents.Tests.Http;
using Xunit;

namespace OrleansEvents.Tests.Reading;

public sealed class SubscriberTests
{
    [Fact]
    public async Task What_is_owed_comes_first_without_an_id_and_the_line_skips_it()
    {
        await using var server = await TestServer.Start();
        await Mixed(server, 1, 8);
        await using var reader = await SseReader.Stream(server, "s", "subscriber=a");
        var connected = await reader.Next("connected");
        Assert.Equal(("a", 4), (connected.Text("subscriber"), connected.Json.GetProperty("pending").GetInt32()));
        var events = await reader.Events(8);
        Assert.Equal([2, 4, 6, 8, 1, 3, 5, 7], events.Numbers());
        Assert.Equal([false, false, false, false, true, true, true, true], events.Select(each => each.Id is not null));
        await Mixed(server, 9, 12);
        var live = await reader.Events(4);
        Assert.Equal([9, 10, 11, 12], live.Numbers());
        Assert.All(live, each => Assert.Equal(each.Id, each.Text("id")));
    }

    [Fact]
    public async Task What_was_acknowledged_never_comes_again()
    {
        await using var server = await TestServer.Start();
        await Mixed(server, 1, 8);
        await using var first = await SseReader.Stream(server, "s", "subscriber=a");
        var events = await first.Events(8);
        await Ack(server, "a", events.Where(each => each.Number() is 2 or 6));
        foreach (var query in new[] { "subscriber=a", "subscriber=a&after=0" })
        {
            await using var again = await SseReader.Stream(server, "s", query);
            Assert.Equal(2, (await again.Next("connected")).Json.GetProperty("pending").GetInt32());
            Assert.Equal([4, 8, 1, 3, 5, 7], (await again.Events(6)).Numbers());
        }
        await using var other = await SseReader.Stream(server, "s", "subscriber=b&after=$");
        Assert.Equal([2, 4, 6, 8], (await other.Events(4)).Numbers());
    }

    [Fact]
    public async Task Owed_events_never_move_the_cursor()
    {
        await using var server = await TestServer.Start();
        await Mixed(server, 1, 4);
        await using var reader = await SseReader.Stream(server, "s", "subscriber=a&after=$");
        var connected = await reader.Next("connected");
        await reader.Events(2);
        Assert.Equal(connected.Id, reader.LastId);
        Assert.Equal((await server.Poll("s")).Cursor(), connected.Id);
    }

    [Theory]
    [InlineData("")]
    [InlineData("&after=0")]
    public async Task Cut_at_every_frame_a_subscriber_that_acknowledges_gets_each_event_once_more_at_most(string start)
    {
        await using var server = await TestServer.Start();
        (await server.Put("/api/streams/s/subscribers/a", """{"maxAttempts":100,"backoff":[0.001]}"""))
            .Must(HttpStatusCode.Created);
        await Mixed(server, 1, 12);
        var ordinary = new List<int>();
        var critical = new List<int>();
        string? id = null;
        for (var round = 0; round < 40 && (ordinary.Count < 10 || critical.Count < 10); round++)
        {
            await using var reader = await SseReader.Stream(server, "s", "subscriber=a" + start, id);
            var onThis = new List<int>();
            for (var frames = 1 + round % 4; frames > 0; frames--)
            {
                if (ordinary.Count + critical.Count == (round < 5 ? 12 : 20)) break;
                if (await reader.Next() is not { IsEvent: true } frame) continue;
                Assert.DoesNotContain(frame.Number(), onThis);
                onThis.Add(frame.Number());
                if (frame.Number() % 2 == 0)
                {
                    critical.Add(frame.Number());
                    await Ack(server, "a", [frame]);
                }
                else ordinary.Add(frame.Number());
            }
            id = reader.LastId ?? id;
            if (round == 5) await Mixed(server, 13, 20);
        }
        Assert.Equal(1.To(20).Where(i => i % 2 == 1), ordinary);
        Assert.Equal(1.To(20).Where(i => i % 2 == 0), critical.Order());
    }

    [Fact]
    public async Task Each_connection_of_a_subscriber_gets_every_event()
    {
        await using var server = await TestServer.Start();
        await Mixed(server, 1, 4);
        await using var one = await SseReader.Stream(server, "s", "subscriber=a");
        await using var two = await SseReader.Stream(server, "s", "subscriber=a");
        Assert.Equal([2, 4, 1, 3], (await one.Events(4)).Numbers());
        Assert.Equal([2, 4, 1, 3], (await two.Events(4)).Numbers());
        await Mixed(server, 5, 6);
        Assert.Equal([5, 6], (await one.Events(2)).Numbers());
        Assert.Equal([5, 6], (await two.Events(2)).Numbers());
        await Ack(server, "a", one.Frames.Where(frame => frame.IsEvent && frame.Number() == 6));
        Assert.Equal([2, 4], (await server.Get("/api/streams/s/subscribers/a/pending")).Json.NumbersOf());
    }

    [Fact]
    public async Task No_event_that_is_published_while_a_subscriber_connects_is_missed_or_doubled()
    {
        await using var server = await TestServer.Start();
        await server.Configure("s", """{"buffer":2000}""");
        const int Count = 300;
        var publishing = Task.Run(async () =>
        {
            for (var i = 1; i <= Count; i++)
            {
                await server.Engine().PublishFast("s", $"{i}", critical: i % 2 == 0);
                if (i % 5 == 0) await Task.Delay(1);
            }
        });
        async Task Read(int number, string query)
        {
            await using var reader = await SseReader.Stream(server, "s", $"subscriber=a{number}{query}");
            // With $ the ordinary ones before it are not for this reader; what is owed is.
            var critical = new List<int>();
            while (critical.Count < Count / 2)
                if ((await reader.Events(1))[0].Number() is var seen && seen % 2 == 0) critical.Add(seen);
            Assert.Equal(1.To(Count).Where(i => i % 2 == 0), critical);
        }
        var readers = new List<Task>();
        for (var i = 0; i < 16; i++)
        {
            readers.Add(Read(i, i % 2 == 0 ? "" : "&after=$"));
            await Task.Delay(2);
        }
        await publishing;
        await Task.WhenAll(readers);
    }

    [Fact]
    public async Task What_is_owed_comes_even_when_the_line_jumps_over_it()
    {
        await using var server = await TestServer.Start();
        await server.Configure("s", """{"buffer":100000,"bufferBytes":100000}""");
        await server.Numbers("s", 1, 1);
        await using var reader = await SseReader.Stream(server, "s", "subscriber=a");
        await reader.Events(1);
        var engine = server.Engine();
        var padding = new string('x', 2000);
        for (var i = 2; i <= 6000; i++)
            await engine.PublishFast("s", $"{{\"n\":{i},\"x\":\"{padding}\"}}", critical: i % 100 == 0);
        var critical = new SortedSet<long>();
        var last = 0L;
        while (critical.Count < 60 || last < 6000)
        {
            var frame = await reader.Next(each => each.IsEvent);
            last = Math.Max(last, frame.Seq);
            if (frame.Json.GetProperty("critical").GetBoolean()) Assert.True(critical.Add(frame.Seq), "twice");
        }
        Assert.Contains(reader.Frames, frame => frame is { Event: "gap" });
    }

    [Fact]
    public async Task A_poll_as_a_subscriber_brings_what_is_owed_and_then_the_line()
    {
        await using var server = await TestServer.Start();
        await Mixed(server, 1, 6);
        var page = await server.Poll("s", "subscriber=a");
        Assert.Equal([2, 4, 6, 1, 3, 5], page.NumbersOf());
        await server.Post("/api/streams/s/subscribers/a/ack", $$"""{"upTo":"{{page.Cursor()}}"}""");
        await Mixed(server, 7, 8);
        Assert.Equal([8, 7], (await server.Poll("s", $"subscriber=a&after={page.Cursor()}")).NumbersOf());
        // What the last poll brought is in flight.
        Assert.Equal([1, 3, 5, 7], (await server.Poll("s", "subscriber=a")).NumbersOf());
    }

    [Fact]
    public async Task At_the_head_of_a_completed_stream_a_subscriber_is_stopped_once_nothing_is_pending()
    {
        await using var server = await TestServer.Start();
        await Mixed(server, 1, 2);
        await server.Post("/api/streams/s/complete");
        await using var reader = await SseReader.Stream(server, "s", "subscriber=a");
        var events = (await reader.Rest()).Where(frame => frame.IsEvent).ToList();
        Assert.Equal([2, 1], events.Numbers());
        await using var owed = await SseReader.Stream(server, "s", "subscriber=a", reader.LastId);
        Assert.Equal([2], (await owed.Rest()).Where(frame => frame.IsEvent).Numbers());
        await Ack(server, "a", events.Where(each => each.Number() == 2));
        await using var done = await SseReader.Stream(server, "s", "subscriber=a", reader.LastId);
        Assert.Equal(HttpStatusCode.NoContent, done.Status);
    }

    /// <summary>Publishes numbers of which the even ones are critical.</summary>
    private static async Task Mixed(TestServer server, int first, int last)
    {
        var events = first.To(last).Select(i =>
            $$"""{"type":"t","data":{{i}},"critical":{{(i % 2 == 0 ? "true" : "false")}}}""");
        await server.Publish("s", $"[{string.Join(',', events)}]");
    }

    private static async Task Ack(TestServer server, string subscriber, IEnumerable<SseFrame> events)
    {
        var ids = events.Select(each => $"\"{each.Text("id")}\"");
        var answer = await server.Post($"/api/streams/s/subscribers/{subscriber}/ack",
            $$"""{"ids":[{{string.Join(',', ids)}}]}""");
        answer.Must(HttpStatusCode.OK);
    }
}
