using System.Net;
using System.Text.Json;
using OrleansEvents.Tests.Http;
using OrleansEvents.Tests.Reading;
using Xunit;

namespace OrleansEvents.Tests.Subscribers;

public sealed class DeadLetterTests
{
    private const string Hasty = """{"ackWait":0.02,"backoff":[0.001],"maxAttempts":2}""";

    [Fact]
    public async Task After_its_attempts_an_event_is_a_dead_letter_with_its_history()
    {
        await using var server = await TestServer.StartOnDisk();
        var named = new Named(server);
        await named.Set("""{"backoff":[0.001],"maxAttempts":3}""");
        await using (var reader = await named.Read())
        {
            await reader.Next("connected");
            await named.Critical(1, 1);
            var first = await reader.Next(1);
            // Of the deliveries that come; this one has its time.
            await named.Set("""{"ackWait":0.02}""");
            await named.Nack(first.EventId());
            await named.Dead(1);
        }
        for (var start = 0; start < 2; start++)
        {
            var letter = (await named.DeadLetters()).GetProperty("events")[0];
            Assert.Equal(["id", "seq", "stream", "type", "version", "time", "critical", "data", "attempt", "nextRetry",
                "history"], letter.Members());
            Assert.Equal((3, "null"), (letter.Attempt(), letter.GetProperty("nextRetry").GetRawText()));
            var history = letter.GetProperty("history").EnumerateArray().ToArray();
            Assert.Equal(["nack", "timeout", "timeout"], history.Select(past =>
                past.GetProperty("reason").GetString()));
            var times = history.Select(past => past.GetProperty("time").GetDateTime()).ToArray();
            Assert.Equal(times.Order(), times);
            Assert.True(times[0] >= letter.GetProperty("time").GetDateTime());
            Assert.Equal([], (await named.Pending()).NumbersOf());
            await server.Restart();
        }
        // Never again, to nobody.
        await using var after = await named.Read("after=0");
        Assert.Empty(await after.Before(server, 9));
    }

    [Fact]
    public async Task Dead_letters_are_listed_in_pages_put_back_by_ids_or_all_and_purged()
    {
        await using var server = await TestServer.StartOnDisk();
        var named = await Parked(server, 7, Hasty);
        var (numbers, ids, after, pages) = (new List<int>(), new List<string>(), "0", 0);
        for (var more = true; more; pages++)
        {
            var page = await named.DeadLetters($"limit=3&after={after}");
            numbers.AddRange(page.NumbersOf());
            ids.AddRange(page.IdsOf());
            (after, more) = (page.Cursor(), page.GetProperty("more").GetBoolean());
            Assert.InRange(page.NumbersOf().Count, 1, 3);
        }
        Assert.Equal(1.To(7), numbers);
        Assert.Equal(3, pages);
        Assert.False((await named.DeadLetters("limit=7")).GetProperty("more").GetBoolean());
        Assert.True((await named.DeadLetters("limit=6")).GetProperty("more").GetBoolean());
        await named.Set("""{"ackWait":60}""");
        Assert.Equal(2, await named.Replay(ids[4], ids[1], ids[4], "nonsense"));
        Assert.Equal([2, 5], (await named.Pending()).NumbersOf());
        Assert.Equal([1, 3, 4, 6, 7], (await named.DeadLetters()).NumbersOf());
        await server.Restart();
        Assert.Equal([2, 5], (await named.Pending()).NumbersOf());
        await using (var reader = await named.Read("after=$"))
        {
            var events = await reader.Events(2);
            Assert.Equal([2, 5], events.Numbers());
            await named.Ack(events[0].EventId());
        }
        Assert.Equal(5, await named.Replay());
        Assert.Equal([1, 3, 4, 5, 6, 7], (await named.Pending()).NumbersOf());
        Assert.Equal(0, await named.Replay());
        await named.Set(Hasty);
        await using (await named.Read("after=$")) await named.Dead(6);
        (await server.Delete($"{named.Path}/dead-letters")).Must(HttpStatusCode.OK);
        Assert.Equal([], (await named.DeadLetters()).NumbersOf());
        await server.Restart();
        Assert.Equal([], (await named.DeadLetters()).NumbersOf());
        Assert.Equal([], (await named.Pending()).NumbersOf());
    }

    [Theory]
    [InlineData("limit=0")]
    [InlineData("limit=1001")]
    [InlineData("after=x")]
    public async Task A_page_that_cannot_be_is_refused(string query)
    {
        await using var server = await TestServer.Start();
        var named = await Parked(server, 0, Hasty);
        (await server.Get($"{named.Path}/dead-letters?{query}")).MustRefuse(400, "INVALID_INPUT");
        (await server.Post($"{named.Path}/dead-letters/replay", """{"all":true}"""))
            .MustRefuse(400, "INVALID_INPUT");
        (await server.Get("/api/streams/s/subscribers/b/dead-letters")).MustRefuse(404, "NOT_FOUND");
        (await server.Post("/api/streams/s/subscribers/b/dead-letters/replay")).MustRefuse(404, "NOT_FOUND");
        (await server.Delete("/api/streams/s/subscribers/b/dead-letters")).MustRefuse(404, "NOT_FOUND");
    }

    [Fact]
    public async Task A_replayed_event_comes_to_an_open_connection_as_a_redelivery()
    {
        await using var server = await TestServer.Start();
        var named = new Named(server);
        await named.Set("""{"ackWait":0.02,"backoff":[0.001],"maxAttempts":2}""");
        await using var reader = await named.Read();
        await reader.Next("connected");
        await named.Critical(1, 1);
        await named.Dead(1);
        await named.Set("""{"ackWait":60}""");
        await named.Replay();
        // The third time on this connection.
        var again = await reader.Next(1, attempt: 3);
        Assert.Null(again.Id);
        Assert.Equal(["acknowledged"], await named.Ack(again.EventId()));
        Assert.Equal((0, 0), (await named.Number("pending"), await named.Number("deadLetters")));
    }

    [Fact]
    public async Task A_dead_letter_can_still_be_acknowledged_and_is_gone_then()
    {
        await using var server = await TestServer.StartOnDisk();
        var named = await Parked(server, 3, Hasty);
        var ids = (await named.DeadLetters()).IdsOf();
        Assert.Equal(["acknowledged", "acknowledged"], await named.Ack(ids[1], ids[2]));
        Assert.Equal(["already"], await named.Ack(ids[1]));
        Assert.Equal([1], (await named.DeadLetters()).NumbersOf());
        await server.Restart();
        Assert.Equal([1], (await named.DeadLetters()).NumbersOf());
        Assert.Equal(["already"], await named.Ack(ids[2]));
        await named.Replay();
        Assert.Equal([1], (await named.Pending()).NumbersOf());
    }

    [Fact]
    public async Task Dead_letters_beyond_their_number_become_one_listed_range_of_which_readers_are_told_once()
    {
        await using var server = await TestServer.StartOnDisk("--Subscribers:DeadLetters", "2");
        var named = await Parked(server, 5, Hasty, wait: 2);
        var range = (await named.DeadLetters()).GetProperty("expired");
        Assert.Equal((1, 3, 3), (range.GetProperty("firstSeq").GetInt32(), range.GetProperty("lastSeq").GetInt32(),
            range.GetProperty("count").GetInt32()));
        Assert.Equal([4, 5], (await named.DeadLetters()).NumbersOf());
        await server.Restart();
        Assert.Equal(range.GetRawText(), (await named.DeadLetters()).GetProperty("expired").GetRawText());
        await using (var reader = await named.Read("after=$"))
        {
            var gap = await reader.Next("gap");
            Assert.Equal(("expired", 3, "s"), (gap.Text("reason"), gap.Missed(), gap.Text("stream")));
        }
        await server.Restart();
        await using var again = await named.Read("after=$");
        Assert.Empty(await again.Before(server, 9));
        Assert.DoesNotContain(again.Frames, frame => frame.Event == "gap");
        Assert.Equal(3, (await named.DeadLetters()).GetProperty("expired").GetProperty("count").GetInt32());
        (await server.Delete($"{named.Path}/dead-letters")).Must(HttpStatusCode.OK);
        Assert.False((await named.DeadLetters()).TryGetProperty("expired", out _));
    }

    [Fact]
    public async Task Dead_letters_past_their_age_become_that_range_too_and_a_poll_tells_of_it()
    {
        await using var server = await TestServer.Start("--Subscribers:DeadLetterAge", "0.3");
        var named = new Named(server);
        await named.Set("""{"maxAge":0.001}""");
        await named.Critical(1, 2);
        await Eventually.True(async () => (await named.DeadLetters()).TryGetProperty("expired", out var expired)
            && expired.GetProperty("count").GetInt32() == 2);
        Assert.Equal([], (await named.DeadLetters()).NumbersOf());
        var gap = (await named.Poll("after=$")).GetProperty("gap");
        Assert.Equal(("expired", 2), (gap.GetProperty("reason").GetString(), gap.GetProperty("missed").GetInt32()));
        // Once its answer is known to have gone out.
        await Eventually.True(async () => !(await named.Poll("after=$")).TryGetProperty("gap", out _));
    }

    [Fact]
    public async Task A_dead_letter_of_one_is_still_owed_to_another()
    {
        await using var server = await TestServer.StartOnDisk();
        var other = new Named(server, name: "b");
        await other.Set("{}");
        await Parked(server, 2, Hasty);
        Assert.Equal([1, 2], (await other.Pending()).NumbersOf());
        await other.Ack((await other.Pending()).IdsOf());
        await server.Restart();
        Assert.Equal([1, 2], (await new Named(server).DeadLetters()).NumbersOf());
    }

    /// <summary>A subscriber with so many dead letters.</summary>
    private static async Task<Named> Parked(TestServer server, int count, string policy, int? wait = null)
    {
        var named = new Named(server);
        await named.Set(policy);
        if (count == 0) return named;
        await using var reader = await named.Read();
        await reader.Next("connected");
        for (var i = 1; i <= count; i++)
        {
            await named.Critical(i, i);
            await Eventually.True(async () => await named.Number("pending") == 0);
        }
        await named.Dead(wait ?? count);
        return named;
    }
}
