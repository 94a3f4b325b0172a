using System.Globalization;
using OrleansEvents.Storage.Postgres;
using OrleansEvents.Tests.Crash;
using OrleansEvents.Tests.Storage;

namespace OrleansEvents.Tests.Cluster.Nodes;

/// <summary>A cluster of processes over a schema of its own. Disposing it kills them.</summary>
internal sealed class ClusterUnderTest : IAsyncDisposable
{
    private readonly PostgresOptions _schema;
    private readonly string[] _options;
    private readonly List<SiloProcess> _nodes = [];
    private readonly HttpClient _http = EventsHttp.NewClient();
    private int _streams;

    private ClusterUnderTest(PostgresOptions schema, string[] options) =>
        (_schema, _options) = (schema, ["--postgres", schema.Connection, .. options]);

    public SiloProcess this[int node] => _nodes[node];

    public IReadOnlyList<SiloProcess> Nodes => _nodes;

    public HttpClient Http => _http;

    /// <summary>Of its database.</summary>
    public string Connection => _schema.Connection;

    /// <summary>Without a PostgreSQL the test that asks is skipped.</summary>
    public static async Task<ClusterUnderTest> Start(PostgresServer postgres, int nodes = 2, params string[] options)
    {
        var cluster = new ClusterUnderTest(await postgres.NewSchema(), options);
        try
        {
            for (var node = 0; node < nodes; node++) await cluster.Add();
            return cluster;
        }
        catch
        {
            await cluster.DisposeAsync();
            throw;
        }
    }

    /// <summary>Starts one more node, and waits until it is ready.</summary>
    public async Task<SiloProcess> Add(params string[] options)
    {
        var node = await SiloProcess.Start([.. _options, .. options]);
        _nodes.Add(node);
        return node;
    }

    /// <summary>Starts a node in the place of one that has ended.</summary>
    public async Task Replace(int node)
    {
        await _nodes[node].DisposeAsync();
        _nodes[node] = await SiloProcess.Start(_options);
    }

    /// <summary>Starts all again at the same time; they have ended.</summary>
    public async Task StartAgain()
    {
        for (var node = 0; node < _nodes.Count; node++)
        {
            await _nodes[node].DisposeAsync();
            _nodes[node] = SiloProcess.Spawn(_options);
        }
        await Task.WhenAll(_nodes.Select(node => node.IsReady()));
    }

    /// <summary>A stream that this node owns, with one critical event in it.</summary>
    public async Task<string> StreamOwnedBy(int node)
    {
        while (true)
        {
            var name = string.Create(CultureInfo.InvariantCulture, $"s{++_streams}");
            await Publish(0, name, 0);
            await Given.Until(() => Task.FromResult(_nodes.Any(each => each.HasOpened(name))));
            if (_nodes[node].HasOpened(name)) return name;
        }
    }

    /// <summary>Publishes a critical event with a key of its own through a node, again until it is taken.</summary>
    public async Task Publish(int node, string stream, int n)
    {
        var body = string.Create(CultureInfo.InvariantCulture,
            $$"""{"type":"tick","key":"k{{n}}","critical":true,"data":{{n}}}""");
        await Given.Until(async () => await _http.TrySendAsync(HttpMethod.Post, _nodes[node].Address,
            $"/api/streams/{stream}/events", body) is { IsSuccess: true });
    }

    /// <summary>The numbers that a stream holds from its beginning, as a node reads it.</summary>
    public async Task<int[]> Numbers(int node, string stream)
    {
        Answer? answer = null;
        await Given.Until(async () => (answer = await _http.TrySendAsync(HttpMethod.Get, _nodes[node].Address,
            $"/api/streams/{stream}/events?after=0&limit=1000")) is { IsSuccess: true });
        return [.. answer!.Json.GetProperty("events").EnumerateArray().Select(each =>
            each.GetProperty("data").GetInt32())];
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var node in _nodes) await node.DisposeAsync();
        _http.Dispose();
        await PostgresServer.Drop(_schema);
    }
}
