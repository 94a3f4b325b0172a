using Microsoft.Extensions.DependencyInjection;
using OrleansEvents.Storage.Memory;
using OrleansEvents.Streams;
using OrleansEvents.Tests.Http;
using OrleansEvents.Tests.Reading;
using Xunit;
using Given = OrleansEvents.Tests.Http.Given;

namespace OrleansEvents.Tests.Metrics;

/// <summary>What <c>/metrics</c> says after something has happened.</summary>
public sealed class MetricsTests
{
    [Fact]
    public async Task Publishes_are_counted_by_result_and_durability()
    {
        await using var server = await TestServer.Start();
        await server.Publish("a", Given.Events(3));
        await server.Publish("a", Given.Critical(1, ",\"key\":\"k\""));
        await server.Publish("a", Given.Critical(1, ",\"key\":\"k\""));
        await server.Publish("a", Given.Event(1, ",\"key\":\"o\""));
        await server.TryPublish("a", Given.Event(2, ",\"key\":\"o\""));

        var scrape = await Scrape.Of(server);

        Assert.Equal(4, scrape["published_events_total{result=\"ok\",durable=\"false\"}"]);
        Assert.Equal(1, scrape["published_events_total{result=\"ok\",durable=\"true\"}"]);
        Assert.Equal(1, scrape["published_events_total{result=\"duplicate\",durable=\"true\"}"]);
        Assert.Equal(1, scrape["published_events_total{result=\"KEY_CONFLICT\",durable=\"false\"}"]);
        // A type of one letter and a digit each.
        Assert.Equal(8, scrape["published_bytes_total{durable=\"false\"}"]);
        Assert.Equal(2, scrape["publish_duration_seconds_count{result=\"ok\",durable=\"true\"}"]);
        Assert.Equal(1, scrape["error_count_total{code=\"KEY_CONFLICT\"}"]);
        Assert.Equal(1, scrape["problems_told_total{code=\"KEY_CONFLICT\",to=\"answer\"}"]);
        Assert.Equal(1, scrape["commit_events_count"]);
        Assert.Equal(1, scrape["commit_events_sum"]);
        Assert.Equal(1, scrape["commit_duration_seconds_count{result=\"ok\"}"]);
        Assert.Equal(1, scrape["streams_open"]);
        Assert.True(scrape["buffer_memory_bytes"] >= 1024);
    }

    [Fact]
    public async Task What_readers_are_sent_is_counted_by_events_and_bytes()
    {
        await using var server = await TestServer.Start();
        await server.Publish("a", Given.Events(5));
        await using (var reader = await SseReader.Stream(server, "a", "after=0"))
        {
            for (var i = 0; i < 5; i++) await reader.Next(frame => frame.IsEvent);
            await Scrape.Until(server, "total_clients", 1);
            await server.Publish("a", Given.Event(6));
            await reader.Next(frame => frame.IsEvent);
            await Scrape.Until(server, "delivered_events_total{by=\"sse\"}", 6);
            var scrape = await Scrape.Of(server);
            Assert.True(scrape["delivered_bytes_total{by=\"sse\"}"] > 6 * 100);
            Assert.Equal(1, scrape["connections_opened_total"]);
        }
        await server.Poll("a");

        await Scrape.Until(server, "connections_closed_total{reason=\"client\"}", 1);
        var after = await Scrape.Of(server);
        Assert.Equal(0, after["total_clients"]);
        Assert.Equal(6, after["delivered_events_total{by=\"poll\"}"]);
        Assert.True(after["delivered_bytes_total{by=\"poll\"}"] > 6 * 100);
    }

    [Fact]
    public async Task A_filtered_reader_counts_for_what_it_is_sent_alone()
    {
        await using var server = await TestServer.Start();
        await server.Publish("a", """[{"type":"x","data":1},{"type":"y","data":2},{"type":"x","data":3}]""");
        await using var reader = await SseReader.Stream(server, "a", "after=0&types=x");
        await reader.Next(frame => frame.IsEvent);
        await reader.Next(frame => frame.IsEvent);
        await Scrape.Until(server, "delivered_events_total{by=\"sse\"}", 2);
    }

    [Fact]
    public async Task Gaps_and_endings_are_counted_by_their_reason()
    {
        await using var server = await TestServer.Start();
        await server.Publish("a", Given.Event(1));
        await server.Post("/api/streams/a/complete");
        await using var reader = await SseReader.Stream(server, "a", lastEventId: "not-ours");
        await reader.Next(frame => frame.Event == "end");

        await Scrape.Until(server, "connections_closed_total{reason=\"ended\"}", 1);
        Assert.Equal(1, (await Scrape.Of(server))["gaps_told_total{reason=\"reset\"}"]);
    }

    [Fact]
    public async Task A_storage_that_fails_shows_in_the_circuit_the_errors_and_what_readers_were_told()
    {
        FailingLog? log = null;
        await using var server = await TestServer.StartWith(services => services.AddSingleton(
            (log = FailingLog.Over(new MemoryEventLog())).Log), "--Storage:CircuitOpen", "300");
        await server.Publish("a", Given.Event(1));
        await using var reader = await SseReader.Stream(server, "a", "after=0");
        await reader.Next(frame => frame.IsEvent);
        Assert.Equal(0, (await Scrape.Of(server))["store_circuit_open"]);

        log!.Fails = true;
        (await server.TryPublish("a", Given.Critical(1))).MustRefuse(503, "STORE_UNAVAILABLE");
        await reader.Next(frame => frame.Event == "problem");

        var scrape = await Scrape.Of(server);
        Assert.Equal(1, scrape["store_circuit_open"]);
        Assert.Equal(1, scrape["write_errors_total{of=\"storage\"}"]);
        Assert.Equal(1, scrape["commit_duration_seconds_count{result=\"failed\"}"]);
        Assert.Equal(1, scrape["problems_told_total{code=\"STORE_UNAVAILABLE\",to=\"frame\"}"]);
        // The circuit's, and the publisher's.
        Assert.Equal(2, scrape["error_count_total{code=\"STORE_UNAVAILABLE\"}"]);
    }

    [Fact]
    public async Task A_request_that_is_cut_off_is_a_read_error()
    {
        await using var server = await TestServer.Start();
        using (var connection = await server.Connect())
        {
            await connection.Send("POST /api/streams/a/events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                + "Content-Length: 100\r\n\r\n{");
            connection.Cut();
        }
        await Scrape.Until(server, "read_errors_total{of=\"request\"}", 1);
    }

    [Fact]
    public async Task What_has_no_labels_is_there_from_the_beginning_and_every_type_is_named()
    {
        await using var server = await TestServer.Start();
        var scrape = await Scrape.Of(server);
        string[] counters = ["slow_client_drops_total", "connections_opened_total", "process_cpu_seconds_total"];
        foreach (var counter in counters)
        {
            Assert.Equal("counter", scrape.Types["orleansevents_" + counter]);
            Assert.Contains("orleansevents_" + counter, scrape.Values.Keys);
        }
        Assert.Equal("gauge", scrape.Types["orleansevents_total_clients"]);
        Assert.Equal("histogram", scrape.Types["orleansevents_publish_duration_seconds"]);
        Assert.True(scrape["gc_heap_bytes"] > 0);
        Assert.True(scrape["process_cpu_seconds_total"] > 0);
        Assert.All(scrape.Types.Keys, name => Assert.StartsWith("orleansevents_", name, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Two_servers_of_one_process_count_for_themselves()
    {
        await using var one = await TestServer.Start();
        await using var other = await TestServer.Start();
        await one.Publish("a", Given.Event(1));
        Assert.Equal(1, (await Scrape.Of(one))["published_events_total{result=\"ok\",durable=\"false\"}"]);
        Assert.Equal(0, (await Scrape.Of(other))["published_events_total{result=\"ok\",durable=\"false\"}"]);
    }
}
