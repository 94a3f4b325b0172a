using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using OrleansEvents.Tests.Host;
using OrleansEvents.Tests.Http;
using Xunit;

namespace OrleansEvents.Tests.Reading;

public sealed class ConnectionTests
{
    [Fact]
    public async Task A_connection_says_who_it_is_and_what_it_was_sent()
    {
        await using var server = await TestServer.Start();
        await server.Numbers("s", 1, 3);
        await using var reader = await SseReader.Stream(server, "s", "client=tab&subscriber=bob&heartbeat=7");
        var connection = await reader.Connected();
        var last = (await reader.Events(3))[^1];
        await Given.Until(async () => (await Of(server, connection)).GetProperty("events").GetInt64() == 3);
        var known = await Of(server, connection);
        Assert.Equal(["connection", "path", "subscriber", "client", "address", "protocol", "since", "uptime", "events",
            "bytes", "gaps", "failures", "reconnects", "heartbeat", "blocked", "pong", "lastPing", "lastPong", "lag",
            "streams"], known.Members());
        Assert.Equal((connection, "/api/streams/s/events", "bob", "tab", "127.0.0.1",
            reader.Version.Major == 2 ? "HTTP/2" : "HTTP/1.1"),
            (Text("connection"), Text("path"), Text("subscriber"), Text("client"), Text("address"), Text("protocol")));
        Assert.Equal((0, 0, 0, 7, 0), (Number("gaps"), Number("failures"), Number("reconnects"), Number("heartbeat"),
            Number("lag")));
        Assert.InRange(Number("bytes"), 3 * 100, 10_000);
        Assert.InRange(Number("uptime"), 0, 600);
        Assert.EndsWith("Z", Text("since"), StringComparison.Ordinal);
        Assert.Null(Text("lastPing"));
        var line = known.GetProperty("streams").EnumerateArray().Single();
        Assert.Equal(("s", last.Id, last.Id), (line.GetProperty("stream").GetString(),
            line.GetProperty("position").GetString(), line.GetProperty("head").GetString()));

        string? Text(string name) => known.GetProperty(name).GetString();
        double Number(string name) => known.GetProperty(name).GetDouble();
    }

    [Fact]
    public async Task A_reader_that_takes_nothing_lags_by_what_was_published_since()
    {
        await using var server = await TestServer.Start();
        using var stalled = await SlowReader.Stalled(server, "s");
        var connection = server.Connections().All.Single().Id;
        var before = await Of(server, connection);
        Assert.True(before.GetProperty("blocked").GetDouble() >= 0);
        for (var i = 0; i < 25; i++) await server.Engine().PublishFast("s", SlowReader.Data);
        var after = before;
        // A node's copy of the buffer may come behind the answer.
        await Eventually.True(async () => Published(after = await Of(server, connection)) >= Published(before) + 25);
        Assert.Equal(25, Published(after) - Published(before));
        Assert.True(after.GetProperty("lag").GetInt64() > 0);

        static long Published(JsonElement known) =>
            known.GetProperty("events").GetInt64() + known.GetProperty("lag").GetInt64();
    }

    [Fact]
    public async Task A_connection_over_many_streams_lists_each()
    {
        await using var server = await TestServer.Start();
        await server.Numbers("a.1", 1, 2);
        await using var reader = await SseReader.Many(server, "a.*,absent");
        var connection = await reader.Connected();
        await server.Numbers("a.2", 3, 3);
        await reader.Events(3);
        var streams = (await Of(server, connection)).GetProperty("streams").EnumerateArray()
            .ToDictionary(each => each.GetProperty("stream").GetString()!);
        Assert.Equal(["a.1", "a.2", "absent"], streams.Keys.Order(StringComparer.Ordinal));
        Assert.Equal(JsonValueKind.Null, streams["absent"].GetProperty("position").ValueKind);
        Assert.Equal(0, streams["a.2"].GetProperty("lag").GetInt64());
    }

    [Fact]
    public async Task Reconnects_of_a_client_are_counted_for_as_many_clients_as_are_remembered()
    {
        await using var server = await TestServer.Start("--Sse:Clients", "2");
        Assert.Equal((0, 1, 2), (await Come("a"), await Come("a"), await Come("a")));
        Assert.Equal(0, await Come("a", "elsewhere"));
        Assert.Equal((0, 0), (await Come("b"), await Come("c")));
        Assert.Equal((0, 1), (await Come("a"), await Come("c")));
        Assert.Equal(3, server.Connections().Counts.Reconnects.Total);

        async Task<int> Come(string client, string stream = "s")
        {
            await using var reader = await SseReader.Stream(server, stream, $"client={client}");
            return (await Of(server, await reader.Connected())).GetProperty("reconnects").GetInt32();
        }
    }

    [Fact]
    public async Task What_was_sent_stays_counted_when_a_connection_has_ended()
    {
        await using var server = await TestServer.Start();
        await server.Numbers("s", 1, 3);
        await using (var first = await SseReader.Stream(server, "s")) await first.Events(3);
        await server.Left(0);
        var before = server.Connections().Sent();
        await using var second = await SseReader.Stream(server, "s");
        await second.Events(3);
        await Given.Until(() => server.Connections().Sent().Events == 6);
        Assert.Equal(3, before.Events);
        Assert.InRange(server.Connections().Sent().Bytes, 2 * before.Bytes - 100, 2 * before.Bytes + 100);
    }

    [Fact]
    public async Task The_log_counts_from_time_to_time_what_has_happened()
    {
        var log = new LogLines();
        await using var server = await TestServer.StartWith(
            services => services.AddSingleton<ILoggerProvider>(log), "--Sse:HealthLog", "0.1", "--Sse:Ping", "0.1",
            "--Sse:PongTimeout", "0.1", "--Logging:LogLevel:OrleansEvents", "Information");
        await using (var reader = await SseReader.Stream(server, "s", "pong=true")) await reader.Rest();
        await using (var reader = await SseReader.Stream(server, "s")) await reader.Next("connected");
        await Given.Until(() =>
        {
            var lines = string.Join('\n', log.AtLeast(LogLevel.Information).Where(line => line.Contains("HealthLog: ",
                StringComparison.Ordinal)));
            return new[] { "1 pings sent", "1 pings failed", "1 stale connections cleaned", "1 disconnects" }
                .All(each => lines.Contains(each, StringComparison.Ordinal));
        });
    }

    private static Task<JsonElement> Of(TestServer server, string connection) =>
        server.GetJson($"/api/connections/{connection}");
}
