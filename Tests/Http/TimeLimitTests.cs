using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using OrleansEvents.Api.Options;
using OrleansEvents.Storage.Memory;
using OrleansEvents.Streams;
using OrleansEvents.Tests.Host;
using OrleansEvents.Tests.Metrics;
using OrleansEvents.Tests.Reading;
using Xunit;

namespace OrleansEvents.Tests.Http;

/// <summary>Whatever waits for storage has a limit. Storage stalls, and time passes, when a test says so.</summary>
public sealed class TimeLimitTests : IAsyncLifetime
{
    private const string Limit = "7";
    private const string SimpleLimit = "3.5";
    private static readonly TimeSpan s_near = TimeSpan.FromSeconds(5.6);
    private static readonly TimeSpan s_rest = TimeSpan.FromSeconds(1.4);
    private static readonly TimeSpan s_simpleNear = TimeSpan.FromSeconds(2.8);
    private static readonly TimeSpan s_simpleRest = TimeSpan.FromSeconds(0.7);
    private readonly ManualTime _time = new();
    private readonly LogLines _lines = new();
    private readonly StallingLog _log = StallingLog.Over(new MemoryEventLog());
    private TestServer _server = null!;

    public async ValueTask InitializeAsync()
    {
        _server = await TestServer.StartWith(services => services.AddSingleton<TimeProvider>(_time)
            .AddSingleton(_log.Log).AddLogging(logging => logging.AddProvider(_lines)),
            "--Operations:Timeout", Limit, "--Operations:SimpleTimeout", SimpleLimit, "--Operations:VoidAfter", "60",
            "--Operations:BodyTimeout", "11", "--Logging:Console:LogLevel:OrleansEvents", "None");
        await _server.Publish("s", Given.Critical(1));
        await _time.Unarmed(s_near);
    }

    public async ValueTask DisposeAsync()
    {
        _log.GoOn();
        await _server.DisposeAsync();
    }

    [Theory]
    [InlineData("publish", "POST", "/api/streams/new/events", nameof(IEventLog.Open))]
    [InlineData("publish", "POST", "/api/streams/s/events", nameof(IEventLog.Append))]
    [InlineData("configure", "PUT", "/api/streams/s", nameof(IEventLog.SaveSettings))]
    [InlineData("complete", "POST", "/api/streams/s/complete", nameof(IEventLog.Complete))]
    [InlineData("delete", "DELETE", "/api/streams/s", nameof(IEventLog.Delete))]
    [InlineData("follow_pattern", "GET", "/api/events?streams=n.*", nameof(IEventLog.List))]
    [InlineData("subscribe", "GET", "/api/streams/s/events?subscriber=n", nameof(IEventLog.SaveSubscriber))]
    public Task An_operation_that_writes_is_logged_near_its_limit_and_refused_past_it(
        string operation, string method, string path, string stalls) =>
        Check(operation, method, path, stalls, s_near, s_rest, Limit);

    [Theory]
    [InlineData("list", "/api/streams", nameof(IEventLog.List))]
    [InlineData("describe", "/api/streams/new", nameof(IEventLog.Open))]
    [InlineData("follow", "/api/streams/new/events?after=0", nameof(IEventLog.Open))]
    [InlineData("list_subscribers", "/api/streams/new/subscribers", nameof(IEventLog.Open))]
    [InlineData("describe_subscriber", "/api/streams/new/subscribers/n", nameof(IEventLog.Open))]
    [InlineData("pending", "/api/streams/new/subscribers/n/pending", nameof(IEventLog.Open))]
    public Task A_look_has_a_shorter_limit(string operation, string path, string stalls) =>
        Check(operation, "GET", path, stalls, s_simpleNear, s_simpleRest, SimpleLimit);

    [Theory]
    [InlineData("acknowledge", "POST", "/ack", nameof(IEventLog.SaveSubscriber))]
    [InlineData("remove_subscriber", "DELETE", "", nameof(IEventLog.SaveSubscriber))]
    public async Task What_a_subscriber_writes_has_a_limit(string operation, string method, string path, string stalls)
    {
        var page = await _server.Poll("s", "subscriber=n");
        var id = page.GetProperty("events")[0].GetProperty("id").GetString();
        await Check(operation, method, $"/api/streams/s/subscribers/n{path}", stalls, s_near, s_rest, Limit,
            $$"""{"ids":["{{id}}"]}""");
    }

    [Fact]
    public async Task A_publish_that_passed_its_limit_publishes_what_it_was_given_or_nothing()
    {
        _log.Stall(nameof(IEventLog.Open));
        var late = _server.TryPublish("late", Given.Event(1111));
        await _time.PassWhenArmed(s_near);
        await _time.PassWhenArmed(s_rest);
        (await late).MustRefuse(504, "TIMEOUT");
        // Were its buffers in use again, these would be in them.
        for (var i = 0; i < 50; i++) await _server.Publish("s", Given.Event(2222));
        _log.GoOn();
        await Eventually.True(async () => (await _server.DataOf("late")).Length == 1);
        Assert.Equal("1111", Assert.Single(await _server.DataOf("late")));
    }

    [Fact]
    public async Task A_body_that_does_not_arrive_has_a_limit()
    {
        using var connection = await _server.Connect();
        await connection.Send("POST /api/streams/s/events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            + "Content-Length: 100\r\n\r\n{");
        await _time.PassWhenArmed(TimeSpan.FromSeconds(8.8));
        await Logged("Operation read_body on stream s has taken 8.8 s; its limit is 11 s");
        await _time.PassWhenArmed(TimeSpan.FromSeconds(2.2));

        (await connection.Receive()).MustRefuse(504, "TIMEOUT");
        await Counted("read_body");
        Assert.Equal(1, (await Scrape.Of(_server))["read_errors_total{of=\"request\"}"]);
    }

    [Fact]
    public async Task A_reader_behind_the_buffer_is_told_that_storage_is_late_and_gets_the_rest_when_it_is_back()
    {
        await _server.Put("/api/streams/d", """{"durable":true,"buffer":1}""");
        await _server.Publish("d", Given.Events(5));
        await _time.Unarmed(s_simpleNear);
        _log.Stall(nameof(IEventLog.Read));
        await using var reader = await SseReader.Stream(_server, "d", "after=0&heartbeat=10");
        await _time.PassWhenArmed(s_simpleNear);
        await _time.PassWhenArmed(s_simpleRest);
        Assert.Equal("TIMEOUT", (await reader.Next("problem")).Text("code"));
        await Counted("read_stored");

        _log.GoOn();
        // The next heartbeat tries again.
        _time.Pass(TimeSpan.FromSeconds(10));
        Assert.Equal([1, 2, 3, 4, 5], (await reader.Events(5)).Select(frame => frame.Seq));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task What_a_subscriber_is_owed_is_read_within_a_limit(bool asSse)
    {
        await _server.Put("/api/streams/o", """{"buffer":1}""");
        await _server.Publish("o", $"[{Given.Critical(1)},{Given.Critical(2)},{Given.Event(3)}]");
        await _server.Poll("o", "subscriber=n&limit=1");
        await _time.Unarmed(s_simpleNear);
        _log.Stall(nameof(IEventLog.Read));
        if (asSse)
        {
            await using var reader = await SseReader.Stream(_server, "o", "after=$&subscriber=n");
            await _time.PassWhenArmed(s_simpleNear);
            await _time.PassWhenArmed(s_simpleRest);
            Assert.Equal("TIMEOUT", (await reader.Next("problem")).Text("code"));
        }
        else
        {
            var poll = _server.Get("/api/streams/o/events?subscriber=n&after=$");
            await _time.PassWhenArmed(s_simpleNear);
            await _time.PassWhenArmed(s_simpleRest);
            (await poll).MustRefuse(504, "TIMEOUT");
        }
        await Counted("read_owed");
    }

    [Fact]
    public async Task A_commit_that_stalls_opens_the_circuit_until_storage_answers()
    {
        _log.Stall(nameof(IEventLog.Append), nameof(IEventLog.Probe));
        var publish = _server.TryPublish("s", Given.Critical(2));
        await _time.PassWhenArmed(s_near);
        await _time.PassWhenArmed(s_rest);
        (await publish).MustRefuse(504, "TIMEOUT");
        await Eventually.True(async () => (await _server.Get("/readyz")).Status == HttpStatusCode.ServiceUnavailable);
        (await _server.TryPublish("other", Given.Event(1))).MustRefuse(503, "CIRCUIT_OPEN");
        await Counted("commit");

        // It is probed, and that has a limit too.
        await _time.PassWhenArmed(TimeSpan.FromSeconds(1));
        await _time.PassWhenArmed(s_near);
        await Logged("Operation probe_storage on stream - has taken 5.6 s; its limit is 7 s");
        _log.GoOn();
        await Eventually.True(async () => (await _server.Get("/readyz")).Status == HttpStatusCode.OK);
        await _server.Publish("other", Given.Critical(1));
    }

    [Fact]
    public async Task A_stop_does_not_wait_for_ever()
    {
        _log.Stall(nameof(IEventLog.Close), nameof(IAsyncDisposable.DisposeAsync));
        var stopping = _server.Stop();
        await _time.PassWhenArmed(TimeSpan.FromSeconds(24));
        await Logged("Operation shutdown on stream - has taken 24 s; its limit is 30 s");
        await _time.PassWhenArmed(TimeSpan.FromSeconds(6));
        await Logged("Storage did not take what the streams leave within 30 s");
        // What the application holds is let go within a limit, too.
        await _time.PassWhenArmed(TimeSpan.FromSeconds(7));
        await stopping;
    }

    [Fact]
    public async Task A_start_that_waits_for_storage_is_refused_past_its_limit()
    {
        using var opened = new ManualResetEventSlim();
        var starting = TestServer.StartWith(services => services.AddSingleton<TimeProvider>(_time)
            .AddLogging(logging => logging.AddProvider(_lines)).AddSingleton<IEventLog>(_ =>
            {
                opened.Wait();
                return new MemoryEventLog();
            }), "--Operations:StartTimeout", "13", "--Logging:Console:LogLevel:OrleansEvents", "None");
        await _time.PassWhenArmed(TimeSpan.FromSeconds(10.4));
        await Logged("Operation start on stream - has taken 10.4 s; its limit is 13 s");
        await _time.PassWhenArmed(TimeSpan.FromSeconds(2.6));
        var refused = await Assert.ThrowsAsync<StartRefusedException>(() => starting);
        Assert.Equal("Storage could not be opened within 13 s", refused.Message);
        opened.Set();
    }

    private async Task Check(string operation, string method, string path, string stalls, TimeSpan near, TimeSpan rest,
        string limit, string? body = null)
    {
        await _time.Unarmed(near);
        _log.Stall(stalls);
        body ??= method == "POST" ? Given.Critical(2) : method == "PUT" ? """{"buffer":7}""" : null;
        var answer = _server.Send(new HttpMethod(method), path, method is "POST" or "PUT" ? body : null);
        var stream = path.Split('/', '?') is [_, "api", "streams", var named, ..] ? named
            : operation == "follow_pattern" ? "n.*" : "-";
        var taken = $"has taken {near.TotalSeconds} s; its limit is {limit} s";
        // Storage's own limit, which is as long, begins before it.
        await Eventually.True(() =>
        {
            if (IsLogged($"Operation {operation} on stream {stream} {taken}")) return Task.FromResult(true);
            _time.PassIfArmed(near);
            return Task.FromResult(false);
        });
        Assert.False(answer.IsCompleted);
        await _time.PassWhenArmed(rest);

        var problem = (await answer).MustRefuse(504, "TIMEOUT");
        Assert.Equal($"The operation took longer than {limit} s.", problem.GetProperty("detail").GetString());
        await Logged($"Operation {operation} on stream {stream} passed its limit of {limit} s (TIMEOUT)");
        await Counted(operation);
    }

    private async Task Counted(string operation)
    {
        await Scrape.Until(_server, $"slow_operations_total{{operation=\"{operation}\"}}", 1);
        await Scrape.Until(_server, $"operations_timed_out_total{{operation=\"{operation}\"}}", 1);
    }

    private Task Logged(string text) => Eventually.True(() => Task.FromResult(IsLogged(text)));

    private bool IsLogged(string text) =>
        Array.Exists(_lines.AtLeast(LogLevel.Warning), line => line.Contains(text, StringComparison.Ordinal));
}
