using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using OrleansEvents.Tests.Host;
using OrleansEvents.Tests.Http;
using Xunit;

namespace OrleansEvents.Tests.Docs;

/// <summary>What docs/operations.md shows: the log follows one event by its id at debug level.</summary>
public sealed class FollowedEventTests
{
    [Fact]
    public async Task At_debug_level_each_hop_of_an_event_is_logged_in_order()
    {
        var log = new LogLines();
        await using var server = await TestServer.StartWith(
            services => services.AddLogging(logging => logging.AddProvider(log)),
            "--Logging:LogLevel:OrleansEvents", "Debug", "--Logging:Console:LogLevel:OrleansEvents", "None");
        var published = await server.Publish("orders", """{"type":"order","data":1,"critical":true}""");
        var id = published.GetProperty("cursor").GetString();
        using var connection = await server.Connect();
        await connection.Request("GET", "/api/streams/orders/events?subscriber=billing",
            headers: "Accept: text/event-stream\r\n");
        while (await connection.ReadLine() is { } line && !line.Contains(id!, StringComparison.Ordinal)) { }
        await server.Post("/api/streams/orders/subscribers/billing/ack", $$"""{"ids":["{{id}}"]}""");

        string[] hops =
        [
            "Stream orders: seq 1 to 1 on storage: True",
            $"Stream orders: 1 events appended, seq 1 to 1, id {id} (durable: True)",
            "stream orders, seq 1 owed to subscriber billing carried",
            "Stream orders: subscriber billing acknowledged seq 1",
        ];
        var lines = log.AtLeast(LogLevel.Debug);
        var places = hops.Select(hop => Array.FindIndex(lines, line => line.EndsWith(hop, StringComparison.Ordinal)));
        Assert.DoesNotContain(-1, places);
        Assert.Equal(places.Order(), places);
    }
}
