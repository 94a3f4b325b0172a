using System.Net;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using OrleansEvents.Api;
using Xunit;

namespace OrleansEvents.Tests.Http;

/// <summary>A real server on a free port of loopback, and a client for it. With a data folder of its own it can be
/// started again where it stopped; without, it keeps events in memory only.</summary>
internal sealed class TestServer : IAsyncDisposable
{
    private readonly ServerEngine _engine;
    private readonly Action<IServiceCollection>? _services;
    private string[] _options;
    private RunningServer? _running;

    private TestServer(ServerEngine engine, string[] options, Action<IServiceCollection>? services) =>
        (_engine, _options, _services) = (engine, options, services);

    public RunningApi Running => _running?.Api ?? throw new InvalidOperationException("The server is stopped");

    public Uri Address => Running.Address;

    /// <summary>Without a time limit that a busy machine could meet. Another after a restart.</summary>
    public HttpClient Http { get; private set; } = new();

    /// <summary>Over a store in memory: for what needs no restart.</summary>
    public static Task<TestServer> Start(params string[] options) => Begin(ServerEngine.Forgetting(), options, null);

    /// <summary>Over SQLite in a new folder.</summary>
    public static Task<TestServer> StartOnDisk(params string[] options) =>
        Begin(ServerEngine.Keeping(), options, null);

    public static Task<TestServer> StartWith(Action<IServiceCollection> services, params string[] options) =>
        Begin(ServerEngine.Forgetting(), options, services);

    /// <summary>Stops gracefully and starts again over the same folder, with other options when any are
    /// given.</summary>
    public async Task Restart(params string[] options)
    {
        await Stop();
        if (options.Length > 0) _options = options;
        await Run();
    }

    public async Task Stop()
    {
        Http.Dispose();
        if (_running is { } running) await running.DisposeAsync();
        _running = null;
    }

    /// <summary>Another server over what is stored now, as if this one had been killed. This one goes on with what
    /// counts for nothing any more.</summary>
    public async Task<TestServer> Crashed() => await Begin(await _engine.Crashed(), [], null);

    public Task<RawConnection> Connect() => RawConnection.Open(Address);

    /// <summary>Sends a request whose body, when it has one, is JSON.</summary>
    public async Task<Answer> Send(
        HttpMethod method, string path, string? json = null, params (string, string)[] headers)
    {
        using var content = json is null ? null : new StringContent(json, Encoding.UTF8, "application/json");
        return await Send(method, path, content, headers);
    }

    public async Task<Answer> Send(
        HttpMethod method, string path, HttpContent? content, params (string, string)[] headers)
    {
        using var request = new HttpRequestMessage(method, path) { Content = content };
        foreach (var (name, value) in headers)
            if (!request.Headers.TryAddWithoutValidation(name, value)) throw new ArgumentException(name);
        using var answer = await Http.SendAsync(request, TestContext.Current.CancellationToken);
        return await Answer.Of(answer);
    }

    public Task<Answer> Get(string path, params (string, string)[] headers) =>
        Send(HttpMethod.Get, path, (string?)null, headers);

    /// <summary>What is at a path, which must be there.</summary>
    public async Task<JsonElement> GetJson(string path) => (await Get(path)).Must(HttpStatusCode.OK).Json;

    public Task<Answer> Put(string path, string json) => Send(HttpMethod.Put, path, json);

    public Task<Answer> Post(string path, string? json = null, params (string, string)[] headers) =>
        Send(HttpMethod.Post, path, json, headers);

    public Task<Answer> Delete(string path) => Send(HttpMethod.Delete, path, (string?)null);

    /// <summary>Publishes one event or an array, whatever comes of it.</summary>
    public Task<Answer> TryPublish(string stream, string json, params (string, string)[] headers) =>
        Post($"/api/streams/{stream}/events", json, headers);

    /// <summary>Publishes one event or an array, which must be taken, and returns the answer.</summary>
    public async Task<JsonElement> Publish(string stream, string json, params (string, string)[] headers) =>
        (await TryPublish(stream, json, headers)).Must(HttpStatusCode.Created).Json;

    /// <summary>A page of a stream from its beginning, or from a cursor.</summary>
    public async Task<JsonElement> Poll(string stream, string query = "after=0&limit=1000") =>
        (await Get($"/api/streams/{stream}/events?{query}")).Must(HttpStatusCode.OK).Json;

    /// <summary>The events of a page.</summary>
    public async Task<JsonElement[]> Events(string stream, string query = "after=0&limit=1000") =>
        [.. (await Poll(stream, query)).GetProperty("events").EnumerateArray()];

    /// <summary>The data of every event that a stream still has, as text, oldest first.</summary>
    public async Task<string[]> DataOf(string stream) =>
        [.. (await Events(stream)).Select(each => each.GetProperty("data").GetRawText())];

    public async ValueTask DisposeAsync()
    {
        await Stop();
        await _engine.DisposeAsync();
    }

    private static async Task<TestServer> Begin(ServerEngine engine, string[] options,
        Action<IServiceCollection>? services)
    {
        var server = new TestServer(engine, options, services);
        await server.Run();
        return server;
    }

    private async Task Run()
    {
        // How long things take on a busy machine is not what most tests are about.
        _running = await _engine.Start([.. TestPath.Options, "--Logging:LogLevel:OrleansEvents", "Warning",
            "--Operations:Timeout", "50", "--Operations:SimpleTimeout", "50"], _options, services =>
        {
            TestLog.AddTo(services);
            TestPath.Certify(services);
            _services?.Invoke(services);
        });
        Http = TestPath.Client(Address, TimeSpan.FromSeconds(60));
    }
}

/// <summary>An answer, read to its end.</summary>
internal sealed record Answer(HttpStatusCode Status, IReadOnlyDictionary<string, string> Headers, byte[] Body)
{
    public string Text => Encoding.UTF8.GetString(Body);

    public JsonElement Json => JsonSerializer.Deserialize<JsonElement>(Body);

    public string? Header(string name) => Headers.GetValueOrDefault(name);

    /// <summary>Itself, if it has this status.</summary>
    public Answer Must(HttpStatusCode status)
    {
        Assert.True(Status == status, $"{(int)Status} instead of {(int)status}: {Text}");
        return this;
    }

    /// <summary>The problem, if it has this status and code and all of a problem's members.</summary>
    public JsonElement MustRefuse(int status, string code)
    {
        Must((HttpStatusCode)status);
        Assert.Equal("application/problem+json", Header("Content-Type"));
        var problem = Json;
        Assert.Equal(code, problem.GetProperty("code").GetString());
        Assert.Equal(status, problem.GetProperty("status").GetInt32());
        foreach (var member in new[] { "type", "title", "detail", "instance", "component", "severity", "timestamp" })
            Assert.NotEqual("", problem.GetProperty(member).GetString());
        return problem;
    }

    public static async Task<Answer> Of(HttpResponseMessage answer)
    {
        var headers = answer.Headers.Concat(answer.Content.Headers).ToDictionary(
            each => each.Key, each => string.Join(", ", each.Value), StringComparer.OrdinalIgnoreCase);
        return new(answer.StatusCode, headers, await answer.Content.ReadAsByteArrayAsync());
    }
}
