using System.Text.RegularExpressions;
using OrleansEvents.Silo;
using OrleansEvents.Tests.Crash;

namespace OrleansEvents.Cluster;

/// <summary>A cluster of silo processes on free ports of loopback. Disposing it kills them.</summary>
internal sealed partial class Nodes(string connection) : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly List<ServerProcess> running = [];

    public HttpClient Http { get; } = EventsHttp.NewClient();

    public Uri this[int node] => running[node].Address;

    public async Task Start(int count)
    {
        for (var node = 0; node < count; node++) running.Add(await StartOne());
    }

    /// <summary>kill -9.</summary>
    public Task Kill(int node) => running[node].KillAsync();

    /// <summary>SIGTERM, and waits for its end.</summary>
    public async Task Stop(int node)
    {
        var code = await running[node].StopAsync();
        if (code != 0) throw new InvalidOperationException($"A node ended with {code}: {running[node].Errors[^1]}");
    }

    /// <summary>Starts a node in the place of one that has ended.</summary>
    public async Task Replace(int node)
    {
        await running[node].DisposeAsync();
        running[node] = await StartOne();
    }

    /// <summary>New streams that a node owns, each with one event.</summary>
    public async Task<string[]> StreamsOwnedBy(int node, string prefix, int count)
    {
        var owned = new List<string>();
        for (var next = 0; owned.Count < count; next++)
        {
            var name = $"{prefix}.{next}";
            await Until(async () => await Http.TrySendAsync(HttpMethod.Post, this[0], $"/api/streams/{name}/events",
                """{"type":"first","critical":true,"data":0}""") is { IsSuccess: true });
            await Until(() => Task.FromResult(running.Exists(each => HasOpened(each, name))));
            if (HasOpened(running[node], name)) owned.Add(name);
        }
        return [.. owned];
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var node in running) await node.DisposeAsync();
        Http.Dispose();
    }

    private static bool HasOpened(ServerProcess node, string stream) => node.Errors.Any(line =>
        Opened().Match(line) is { Success: true } match && match.Groups[1].Value == stream);

    private async Task<ServerProcess> StartOne()
    {
        var program = Environment.GetEnvironmentVariable("NODE") ?? typeof(SiloHost).Assembly.Location;
        var node = ServerProcess.SpawnProgram(program,
            ["--urls", "http://127.0.0.1:0", "--silo-port", "0", "--gateway-port", "0", "--postgres", connection,
            "--Logging:LogLevel:OrleansEvents.Grains", "Debug"]);
        await node.ListensAsync();
        await Until(async () =>
            await Http.TrySendAsync(HttpMethod.Get, node.Address, "/readyz") is { IsSuccess: true });
        return node;
    }

    private static async Task Until(Func<Task<bool>> condition)
    {
        using var limit = new CancellationTokenSource(Patience);
        while (!await condition()) await Task.Delay(10, limit.Token);
    }

    [GeneratedRegex(@"\[2000\] Stream (\S+) opened")]
    private static partial Regex Opened();
}
