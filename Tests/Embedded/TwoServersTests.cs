using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using OrleansEvents.Storage.Postgres;
using OrleansEvents.Tests.Host;
using OrleansEvents.Tests.Http;
using OrleansEvents.Tests.Reading;
using OrleansEvents.Tests.Storage;
using Xunit;

namespace OrleansEvents.Tests.Embedded;

/// <summary>Two servers, each of which believes that the database is its own: a stream belongs to whoever opened it
/// last, and the other one lets it go.</summary>
public sealed class TwoServersTests(PostgresServer database) : IAsyncLifetime
{
    private const string Critical = """{"type":"a","data":1,"critical":true}""";
    private const string Ordinary = """{"type":"a","data":2}""";

    private readonly LogLines _lines = new();
    private readonly LogLines _others = new();
    private PostgresOptions _options = null!;
    private TestServer _first = null!;
    private TestServer _second = null!;

    public async ValueTask InitializeAsync()
    {
        _options = await database.NewSchema();
        string[] store = ["--store", "postgres", "--postgres", _options.Connection];
        _first = await TestServer.StartWith(services => services.AddLogging(logging => logging.AddProvider(_lines)),
            store);
        _second = await TestServer.StartWith(services => services.AddLogging(logging => logging.AddProvider(_others)),
            store);
    }

    public async ValueTask DisposeAsync()
    {
        if (_first is null) return;
        await _second.DisposeAsync();
        await _first.DisposeAsync();
        await PostgresServer.Drop(_options);
    }

    [Fact]
    public async Task A_server_whose_stream_another_has_opened_refuses_once_and_takes_it_back()
    {
        await _first.Publish("orders", Critical);
        await _second.Publish("orders", Critical);

        (await _first.TryPublish("orders", Critical)).MustRefuse(503, "STORE_UNAVAILABLE");
        await Until(() => _first.TryPublish("orders", Critical), HttpStatusCode.Created);
        (await _second.TryPublish("orders", Critical)).MustRefuse(503, "STORE_UNAVAILABLE");

        Assert.Equal(["1", "1", "1"], await _first.DataOf("orders"));
        var said = Assert.Single(_lines.AtLeast(LogLevel.Critical));
        Assert.Contains("orders was opened by another server", said, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Its_readers_are_told_and_sent_away_and_come_back_to_all_that_is_durable()
    {
        await _first.Publish("orders", Critical);
        await using var reader = await SseReader.Stream(_first, "orders", "after=0");
        await reader.Events(1);
        await _second.Publish("orders", Critical);
        await _first.TryPublish("orders", Critical);

        var problem = await reader.Next("problem");
        Assert.Equal("STORE_UNAVAILABLE", problem.Json.GetProperty("code").GetString());
        Assert.NotNull(problem.Retry);
        await reader.Rest();

        await using var back = await SseReader.Stream(_first, "orders", lastEventId: reader.LastId);
        Assert.Equal("restart", (await back.Next("gap")).Json.GetProperty("reason").GetString());
        await back.Events(1);
    }

    [Fact]
    public async Task Ordinary_events_go_on_at_who_has_it_and_a_subscriber_of_the_other_gets_what_it_is_owed()
    {
        await _first.Publish("orders", Critical);
        await using var subscriber = await SseReader.Stream(_first, "orders", "subscriber=worker");
        await subscriber.Events(1);
        await _second.Publish("orders", Critical);
        await _second.Publish("orders", Ordinary);
        // Acknowledging is the first write that finds it out.
        await _first.TryPublish("orders", Critical);
        await subscriber.Rest();

        await using var back = await SseReader.Stream(_second, "orders", "subscriber=worker");
        await back.Events(3);
        await using var taken = await SseReader.Stream(_first, "orders", "subscriber=worker");
        await taken.Events(2);
    }

    [Fact]
    public void The_second_says_at_its_start_that_it_is_not_alone()
    {
        Assert.Contains(_others.AtLeast(LogLevel.Warning), line =>
            line.Contains("Another server is connected to the same tables", StringComparison.Ordinal));
        Assert.Empty(_lines.AtLeast(LogLevel.Warning));
    }

    private static async Task Until(Func<Task<Answer>> call, HttpStatusCode status)
    {
        using var limit = new CancellationTokenSource(SseReader.Patience);
        while ((await call()).Status != status) await Task.Delay(10, limit.Token);
    }
}
