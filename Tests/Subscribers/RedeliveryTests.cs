using System.Net;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using OrleansEvents.Storage.Memory;
using OrleansEvents.Tests.Http;
using OrleansEvents.Tests.Reading;
using Xunit;

namespace OrleansEvents.Tests.Subscribers;

public sealed class RedeliveryTests
{
    [Fact]
    public async Task Attempts_are_saved_though_nobody_waits_for_that()
    {
        await using var memory = new MemoryEventLog();
        var log = FailingLog.Over(memory);
        await using var server = await TestServer.StartWith(services => services.AddSingleton(log.Log));
        var named = new Named(server);
        await named.Critical(1, 1);
        await named.Poll();
        await Eventually.True(() => Task.FromResult(log.Saves.Any(save =>
            Encoding.UTF8.GetString(save.State.Span).Contains("\"tries\":[[1,[1,1]]]", StringComparison.Ordinal))));
    }

    [Fact]
    public async Task What_is_not_acknowledged_in_time_comes_again_beside_the_line_with_its_attempt()
    {
        await using var server = await TestServer.Start();
        var named = new Named(server);
        await named.Set("""{"ackWait":0.1,"backoff":[0.01],"maxAttempts":4}""");
        await using var reader = await named.Read();
        await reader.Next("connected");
        await named.Mixed(1, 2);
        var events = await reader.Events(5);
        Assert.Equal([1, 2, 2, 2, 2], events.Numbers());
        Assert.Equal([1, 1, 2, 3, 4], events.Select(each => each.Attempt()));
        Assert.Equal([true, true, false, false, false], events.Select(each => each.Id is not null));
        Assert.Single(events.Where(each => each.Number() == 2).EventIds().Distinct());
        // Only from the second on is it said; then it stands before what was given.
        Assert.DoesNotContain("attempt", events[1].Data, StringComparison.Ordinal);
        Assert.EndsWith(",\"data\":2,\"attempt\":2}", events[2].Data, StringComparison.Ordinal);
        Assert.Equal([2], await named.Dead(1));
    }

    [Fact]
    public async Task An_acknowledged_event_is_not_delivered_again()
    {
        await using var server = await TestServer.Start();
        var named = new Named(server);
        await named.Set("""{"ackWait":0.2,"backoff":[0.001],"maxAttempts":100}""");
        await using var reader = await named.Read();
        await reader.Next("connected");
        await named.Critical(1, 2);
        await named.Ack((await reader.Events(2))[0].EventId());
        // The other one's second and third delivery: by then the first one's would have come.
        await reader.Next(2, attempt: 3);
        Assert.Single(reader.Frames, frame => frame.IsEvent && frame.Number() == 1);
    }

    [Fact]
    public async Task Waits_grow_as_the_back_off_says_and_its_last_repeats()
    {
        await using var server = await TestServer.Start();
        var named = new Named(server);
        await named.Set("""{"ackWait":60,"backoff":[0.05,0.2,0.4],"maxAttempts":5}""");
        await using var reader = await named.Read();
        await reader.Next("connected");
        await named.Critical(1, 1);
        var id = (await reader.Next(1)).EventId();
        for (var attempt = 1; attempt <= 4; attempt++)
        {
            Assert.Equal(["scheduled"], await named.Nack(id));
            await reader.Next(1, attempt + 1);
            var owed = default(JsonElement);
            await Eventually.True(async () =>
            {
                owed = (await named.Pending()).GetProperty("events")[0];
                return owed.GetProperty("nextRetry").ValueKind != JsonValueKind.Null;
            });
            var failures = owed.GetProperty("history").EnumerateArray().ToArray();
            Assert.Equal(attempt, failures.Length);
            // What was awaited lies between the failure and the next wait for an acknowledgement.
            var waited = owed.GetProperty("nextRetry").GetDateTime().AddSeconds(-60)
                - failures[^1].GetProperty("time").GetDateTime();
            Assert.InRange(waited.TotalSeconds, new[] { 0.05, 0.2, 0.4, 0.4 }[attempt - 1] - 0.002, 10);
        }
    }

    [Fact]
    public async Task A_nack_brings_it_again_after_the_delay_that_it_asks_for()
    {
        await using var server = await TestServer.Start();
        var named = new Named(server);
        await named.Set("""{"ackWait":60,"backoff":[60],"maxAttempts":5}""");
        await using var reader = await named.Read();
        await reader.Next("connected");
        await named.Critical(1, 3);
        var ids = (await reader.Events(3)).EventIds().ToArray();
        Assert.Equal(["scheduled", "unknown"], await named.NackFor(0, ids[0], "nonsense"));
        Assert.Equal(ids[0], (await reader.Next(1, attempt: 2)).EventId());
        Assert.Equal(["scheduled"], await named.Nack(ids[1]));
        Assert.Equal(["scheduled"], await named.NackFor(3600, ids[2]));
        await named.Ack(ids[0]);
        Assert.Equal(["already"], await named.NackFor(0, ids[0]));
        var waits = (await named.Pending()).GetProperty("events").EnumerateArray().Select(each =>
            (each.GetProperty("nextRetry").GetDateTime() - DateTime.UnixEpoch).TotalSeconds
            - (each.GetProperty("history")[0].GetProperty("time").GetDateTime() - DateTime.UnixEpoch).TotalSeconds)
            .ToArray();
        Assert.InRange(waits[0], 59.9, 60.1);
        Assert.InRange(waits[1], 3599.9, 3600.1);
        Assert.Empty(await reader.Before(server, 9));
        // It may be asked for sooner after all.
        await named.NackFor(0, ids[2]);
        await reader.Next(3, attempt: 2);
    }

    [Theory]
    [InlineData("")]
    [InlineData("{}")]
    [InlineData("""{"ids":[]}""")]
    [InlineData("""{"ids":["a"],"delay":-1}""")]
    [InlineData("""{"ids":["a"],"delay":86401}""")]
    [InlineData("""{"ids":["a"],"delay":"1"}""")]
    [InlineData("""{"upTo":"a"}""")]
    [InlineData("""{"ids":["a"],"reason":"x"}""")]
    public async Task A_nack_of_another_form_is_refused(string body)
    {
        await using var server = await TestServer.Start();
        var named = new Named(server);
        await named.Set("{}");
        (await server.Post($"{named.Path}/nack", body)).MustRefuse(400, "INVALID_INPUT");
        (await server.Post("/api/streams/s/subscribers/b/nack", """{"ids":["a"]}""")).MustRefuse(404, "NOT_FOUND");
    }

    [Fact]
    public async Task A_connection_that_closes_with_events_in_flight_leads_to_another_attempt()
    {
        await using var server = await TestServer.Start();
        var named = new Named(server);
        await named.Set("""{"ackWait":60,"backoff":[0.05],"maxAttempts":3}""");
        await named.Critical(1, 2);
        for (var attempt = 1; attempt <= 3; attempt++)
        {
            await using (var reader = await named.Read("after=$"))
            {
                var events = await reader.Events(2);
                Assert.Equal([1, 2], events.Numbers().Order());
                Assert.Equal([attempt, attempt], events.Select(each => each.Attempt()));
            }
            await Eventually.True(async () => await named.Number("connections") == 0);
        }
        Assert.Equal([1, 2], await named.Dead(2));
        var histories = (await named.DeadLetters()).GetProperty("events").EnumerateArray()
            .Select(each => each.GetProperty("history").EnumerateArray().Select(past =>
                past.GetProperty("reason").GetString()));
        Assert.All(histories, history => Assert.Equal(["closed", "closed", "closed"], history));
    }

    [Fact]
    public async Task Time_away_uses_up_no_attempt()
    {
        await using var server = await TestServer.Start();
        var named = new Named(server);
        await named.Set("""{"ackWait":0.01,"backoff":[0.001],"maxAttempts":2}""");
        await named.Critical(1, 1);
        var (witness, seen) = (new Named(server, name: "witness"), 0);
        await witness.Set("""{"ackWait":0.05,"backoff":[0.001],"maxAttempts":4}""");
        await using (var reader = await witness.Read())
            while (seen < 4) seen = (await reader.Next(frame => frame.IsEvent)).Attempt();
        var owed = (await named.Pending()).GetProperty("events")[0];
        Assert.Equal((0, 0), (owed.GetProperty("attempt").GetInt32(), owed.GetProperty("history").GetArrayLength()));
        Assert.Equal("null", owed.GetProperty("nextRetry").GetRawText());
        await using var at = await named.Read("after=$");
        await at.Next(1, attempt: 1);
        await at.Next(1, attempt: 2);
    }

    [Fact]
    public async Task Bytes_that_have_not_gone_out_use_up_no_attempt()
    {
        await using var server = await TestServer.Start();
        await server.Configure("s", """{"buffer":10000,"bufferBytes":100000000}""");
        var named = new Named(server);
        await named.Set("""{"ackWait":0.05,"backoff":[0.001],"maxAttempts":3,"maxInFlight":100000}""");
        using var raw = await RawConnection.Open(server.Address, receiveBuffer: 4096);
        await raw.Request("GET", "/api/streams/s/events?subscriber=a", headers: "Accept: text/event-stream\r\n");
        await server.Left(1);
        // A reader that takes nothing, and an event that lies behind what it does not take.
        await Reading.Given.Until(async () =>
        {
            for (var i = 0; i < 50; i++) await server.Engine().PublishFast("s", SlowReader.Data);
            return server.Connections().All.Single().BlockedSinceMs is not null;
        });
        await named.Critical(1, 1);
        var witness = new Named(server, name: "witness");
        await witness.Set("""{"from":"new","ackWait":0.05,"backoff":[0.001],"maxAttempts":4}""");
        await using var reader = await witness.Read("after=$");
        await reader.Next("connected");
        await witness.Critical(2, 2);
        await reader.Next(2, attempt: 4);
        var owed = (await named.Pending()).GetProperty("events")[0];
        Assert.Equal(0, owed.GetProperty("attempt").GetInt32());
    }

    [Fact]
    public async Task Who_answers_at_once_is_heard_though_the_server_has_not_noted_the_delivery_yet()
    {
        await using var server = await TestServer.Start();
        var named = new Named(server);
        await named.Set("""{"ackWait":60,"backoff":[0.001],"maxAttempts":100}""");
        await using var reader = await named.Read();
        await reader.Next("connected");
        for (var i = 1; i <= 100; i++)
        {
            await named.Critical(i, i);
            var frame = await reader.Next(i);
            Assert.Equal(["scheduled"], await named.NackFor(0, frame.EventId()));
            var again = await reader.Next(i, attempt: 2);
            Assert.Equal(["acknowledged"], await named.AckUpTo(again.EventId()));
        }
    }

    [Fact]
    public async Task Attempts_and_their_history_outlive_a_restart()
    {
        await using var server = await TestServer.StartOnDisk();
        var named = new Named(server);
        await named.Set("""{"ackWait":60,"backoff":[0.001],"maxAttempts":3}""");
        await named.Critical(1, 1);
        await using (var reader = await named.Read())
        {
            await named.Nack((await reader.Next(1)).EventId());
            await reader.Next(1, attempt: 2);
        }
        await Eventually.True(async () => await named.Number("inFlight") == 0);
        await server.Restart();
        var owed = (await named.Pending()).GetProperty("events")[0];
        Assert.Equal((2, "nack"), (owed.GetProperty("attempt").GetInt32(),
            owed.GetProperty("history")[0].GetProperty("reason").GetString()));
        await using var again = await named.Read("after=$");
        Assert.Equal(["parked"], await named.Nack((await again.Next(1, attempt: 3)).EventId()));
        Assert.Equal([1], await named.Dead(1));
    }

    [Theory]
    [InlineData("names=true", "t")]
    [InlineData("raw=true", null)]
    [InlineData("names=true&raw=true", "t")]
    public async Task Redeliveries_have_the_shape_that_was_asked_for(string query, string? name)
    {
        await using var server = await TestServer.Start();
        var named = new Named(server);
        await named.Set("""{"ackWait":0.05,"backoff":[0.001],"maxAttempts":3}""");
        await using var reader = await named.Read(query);
        await reader.Next("connected");
        await named.Critical(7, 7);
        var raw = query.Contains("raw", StringComparison.Ordinal);
        for (var attempt = 1; attempt <= 3; attempt++)
        {
            var frame = await reader.Next(each => each.Event is null or "t");
            Assert.Equal((name, attempt == 1), (frame.Event, frame.Id is not null));
            if (raw) Assert.Equal("7", frame.Data);
            else Assert.Equal((7, attempt), (frame.Number(), frame.Attempt()));
        }
    }

    [Fact]
    public async Task A_raw_state_patch_is_redelivered_operation_by_operation()
    {
        await using var server = await TestServer.Start();
        var named = new Named(server);
        await named.Set("""{"ackWait":0.05,"backoff":[0.001],"maxAttempts":2}""");
        await using var reader = await named.Read("raw=true");
        await reader.Next("connected");
        await server.Publish("s", """{"type":"state_patch","data":[{"op":"a"},{"op":"b"}],"critical":true}""");
        var frames = await reader.Events(4);
        Assert.Equal(["{\"op\":\"a\"}", "{\"op\":\"b\"}", "{\"op\":\"a\"}", "{\"op\":\"b\"}"],
            frames.Select(frame => frame.Data));
        Assert.Equal([false, true, false, false], frames.Select(frame => frame.Id is not null));
    }
}
