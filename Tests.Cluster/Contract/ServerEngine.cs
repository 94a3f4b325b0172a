using Microsoft.Extensions.DependencyInjection;
using OrleansEvents.Api;
using OrleansEvents.Api.Options;
using OrleansEvents.Silo;
using OrleansEvents.Storage.Postgres;
using OrleansEvents.Tests.Storage;
using Xunit;

namespace OrleansEvents.Tests.Http;

/// <summary>What is behind a <see cref="TestServer"/> here: two silos in this process over a PostgreSQL schema of their
/// own. Requests go to the first; about half of the streams are the second's.</summary>
internal sealed class ServerEngine : IAsyncDisposable
{
    /// <summary>Whether a server is several nodes, each of which knows its own part.</summary>
    public static bool IsCluster => true;

    private static int s_clusters;
    private readonly string _cluster = $"test-{Environment.ProcessId}-{Interlocked.Increment(ref s_clusters)}";
    private readonly bool _isSchemaOfAnother;
    private PostgresOptions? _schema;

    private ServerEngine(PostgresOptions? schemaOfAnother = null) =>
        (_schema, _isSchemaOfAnother) = (schemaOfAnother, schemaOfAnother is not null);

    public static ServerEngine Forgetting() => new();

    public static ServerEngine Keeping() => new();

    public async Task<RunningServer> Start(string[] common, string[] options, Action<IServiceCollection>? services)
    {
        _schema ??= await PostgresServer.OfThisRun.NewSchema();
        // The pools of the providers outlive their node.
        var connection = $"{_schema.Connection};Connection Idle Lifetime=2;Connection Pruning Interval=1";
        // Which node is dead is not what these tests are about: on a busy machine none is taken for it.
        string[] cluster = ["--postgres", connection, "--cluster-id", _cluster, "--silo-port", "0", "--gateway-port",
            "0", "--Shutdown:Drain", "1", "--Cluster:MissedProbes", "100", "--Cluster:CallTimeout", "50"];
        var first = await Node(null);
        try
        {
            return new(first, await Node(["--urls", "http://127.0.0.1:0"]));
        }
        catch
        {
            await first.DisposeAsync();
            throw;
        }

        async Task<RunningApi> Node(string[]? own)
        {
            for (var tries = 0; ; tries++)
            {
                try
                {
                    return await ApiHost.StartAsync([.. common, .. cluster, .. options, .. own ?? []], services,
                        engine: SiloHost.Engine, cancel: TestContext.Current.CancellationToken);
                }
                catch (StartRefusedException refused) when (tries < 5 && IsPortTaken(refused))
                {
                    // A port that was free is another's by now: the next is.
                }
            }
        }
    }

    private static bool IsPortTaken(StartRefusedException refused) =>
        refused.Message.StartsWith("--silo-port", StringComparison.Ordinal);

    /// <summary>Other nodes over the same streams, to whom the first are unknown: they take the streams as from nodes
    /// that were killed, and the first have nothing any more that storage would take.</summary>
    public Task<ServerEngine> Crashed() => Task.FromResult(new ServerEngine(_schema));

    public async ValueTask DisposeAsync()
    {
        if (_schema is not null && !_isSchemaOfAnother) await PostgresServer.Drop(_schema);
    }
}

/// <summary>Two nodes that run. Disposing stops them gracefully.</summary>
internal sealed record RunningServer(RunningApi Api, RunningApi Other) : IAsyncDisposable
{
    public async ValueTask DisposeAsync()
    {
        await Api.DisposeAsync();
        await Other.DisposeAsync();
    }
}
