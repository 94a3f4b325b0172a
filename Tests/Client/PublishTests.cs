using System.Text;
using System.Text.Json;
using OrleansEvents.Client;
using Xunit;

namespace OrleansEvents.Tests.Client;

public sealed class PublishTests
{
    private const string Created =
        """{"stream":"orders","first":5,"last":6,"cursor":"c6","count":2,"duplicates":0,"durable":true}""";

    private readonly FastTime _time = new();

    [Fact]
    public async Task Events_go_out_as_a_line_each_with_keys_of_their_own()
    {
        await using var server = await ScriptedServer.StartAsync();
        server.ThenJson(201, Created);
        using var client = TestClient.Of(server, _time);

        var result = await client.PublishAsync("orders.eu",
        [
            new NewEvent("a", "{\n \"x\": \"ü\\n\"\r\n}"u8.ToArray()),
            NewEvent.Of("b", new { N = 1 }) with
            {
                Key = "k", Critical = true, Version = 2, Time = new(2026, 1, 2, 3, 4, 5, 678, TimeSpan.Zero),
            },
        ]);

        Assert.Equal(new PublishResult("orders", 5, 6, "c6", 2, 0, true), result);
        var request = Assert.Single(server.Requests);
        Assert.Equal("/api/streams/orders.eu/events", request.Path);
        var lines = request.Body.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(2, lines.Length);
        using var first = JsonDocument.Parse(lines[0]);
        Assert.Equal("ü\n", first.RootElement.GetProperty("data").GetProperty("x").GetString());
        Assert.NotEmpty(first.RootElement.GetProperty("key").GetString()!);
        Assert.Equal(
            """{"type":"b","version":2,"critical":true,"key":"k","time":"2026-01-02T03:04:05.678Z","data":{"n":1}}""",
            lines[1]);
    }

    [Fact]
    public async Task Every_attempt_carries_the_same_keys()
    {
        await using var server = await ScriptedServer.StartAsync();
        server
            .Then(context =>
            {
                context.Abort();
                return Task.CompletedTask;
            })
            .ThenProblem(503, "STORE_UNAVAILABLE", "the store did not answer", retryAfter: "3")
            .ThenProblem(504, "TIMEOUT", "too long")
            .ThenJson(201, Created);
        using var client = TestClient.Of(server, _time);

        await client.PublishAsync("orders", new NewEvent("a", "1"u8.ToArray()));

        Assert.Equal(4, server.Requests.Count);
        Assert.Single(server.Requests.Select(request => request.Body).Distinct());
        Assert.Equal([1, 3, 4], _time.Waits.Select(wait => wait.TotalSeconds));
    }

    [Fact]
    public async Task After_three_retries_the_servers_problem_is_thrown()
    {
        await using var server = await ScriptedServer.StartAsync();
        for (var i = 0; i < 4; i++)
            server.ThenProblem(503, "STORE_UNAVAILABLE", "the store did not answer");
        using var client = TestClient.Of(server, _time);

        var refusal = await Assert.ThrowsAsync<EventsException>(
            () => client.PublishAsync("orders", new NewEvent("a", "1"u8.ToArray())));

        Assert.Equal("STORE_UNAVAILABLE: the store did not answer", refusal.Message);
        Assert.Equal((503, "store", "error"), ((int)refusal.Status!, refusal.Component, refusal.Severity));
        Assert.Equal([1, 2, 4], _time.Waits.Select(wait => wait.TotalSeconds));
    }

    [Fact]
    public async Task Refusals_that_waiting_cannot_mend_are_not_retried()
    {
        await using var server = await ScriptedServer.StartAsync();
        server
            .ThenProblem(409, "STREAM_COMPLETED", "orders has ended")
            .ThenProblem(429, "RATE_LIMITED", "come back tomorrow", retryAfter: "3600");
        using var client = TestClient.Of(server, _time);

        var ended = await Assert.ThrowsAsync<EventsException>(
            () => client.PublishAsync("orders", new NewEvent("a", "1"u8.ToArray())));
        var limited = await Assert.ThrowsAsync<EventsException>(
            () => client.PublishAsync("orders", new NewEvent("a", "1"u8.ToArray())));

        Assert.Equal("STREAM_COMPLETED", ended.Code);
        Assert.Equal(TimeSpan.FromHours(1), limited.RetryAfter);
        Assert.Empty(_time.Waits);
    }

    [Fact]
    public async Task Answer_without_a_problem_document_still_has_a_code()
    {
        await using var server = await ScriptedServer.StartAsync();
        server.Then(context =>
        {
            context.Response.StatusCode = 404;
            return Task.CompletedTask;
        });
        using var client = TestClient.Of(server, _time);

        var refusal = await Assert.ThrowsAsync<EventsException>(
            () => client.PublishAsync("orders", new NewEvent("a", "1"u8.ToArray())));

        Assert.Equal("NOT_FOUND: the server answered 404 Not Found", refusal.Message);
    }

    [Fact]
    public async Task Data_that_is_not_JSON_is_refused_before_it_is_sent()
    {
        await using var server = await ScriptedServer.StartAsync();
        using var client = TestClient.Of(server, _time);

        var refusal = await Assert.ThrowsAsync<EventsException>(
            () => client.PublishAsync("orders", new NewEvent("a", Encoding.UTF8.GetBytes("1,2"))));

        Assert.Equal("INVALID_INPUT", refusal.Code);
        Assert.Empty(server.Requests);
    }

    [Fact]
    public async Task Server_that_does_not_answer_in_time_is_a_timeout()
    {
        await using var server = await ScriptedServer.StartAsync();
        server.Then(ScriptedServer.UntilGoneAsync);
        using var client = new EventsClient(server.Address, options: new()
        {
            Retries = 0,
            RequestTimeout = TimeSpan.FromMilliseconds(50),
        });

        var refusal = await Assert.ThrowsAsync<EventsException>(
            () => client.PublishAsync("orders", new NewEvent("a", "1"u8.ToArray())));

        Assert.Equal("TIMEOUT", refusal.Code);
        Assert.Null(refusal.Status);
    }

    [Fact]
    public async Task Acknowledging_says_what_became_of_each_event()
    {
        await using var server = await ScriptedServer.StartAsync();
        server
            .ThenJson(200, """{"results":[{"id":"c1","result":"acknowledged"},{"id":"c2","result":"unknown"}]}""")
            .ThenJson(200, """{"results":[]}""");
        using var client = TestClient.Of(server, _time);

        var results = await client.Subscriber("orders", "billing").AcknowledgeAsync(["c1", "c2"]);
        await client.Subscriber("orders", "billing").AcknowledgeUpToAsync("c9");

        Assert.Equal([new("c1", "acknowledged"), new("c2", "unknown")], results);
        Assert.Equal(
            ["""{"ids":["c1","c2"]}""", """{"upTo":"c9"}"""], server.Requests.Select(request => request.Body));
        Assert.All(
            server.Requests, request => Assert.Equal("/api/streams/orders/subscribers/billing/ack", request.Path));
    }

    [Fact]
    public async Task Completing_a_stream_that_has_ended_is_no_error()
    {
        await using var server = await ScriptedServer.StartAsync();
        server
            .ThenProblem(503, "SERVER_SHUTDOWN", "draining")
            .ThenProblem(409, "STREAM_COMPLETED", "orders has ended");
        using var client = TestClient.Of(server, _time);

        await client.CompleteAsync("orders");

        Assert.All(server.Requests, request => Assert.Equal("/api/streams/orders/complete", request.Path));
    }

    [Fact]
    public async Task Servers_address_may_have_a_path_of_its_own()
    {
        await using var server = await ScriptedServer.StartAsync();
        server.ThenJson(201, Created);
        using var client = new EventsClient(new Uri(server.Address, "/behind/proxy"));

        await client.PublishAsync("$system", new NewEvent("a", "1"u8.ToArray()));

        Assert.Equal("/behind/proxy/api/streams/%24system/events", server.Requests.Single().Path);
    }
}
