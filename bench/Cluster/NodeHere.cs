using Microsoft.Extensions.DependencyInjection;
using OrleansEvents.Api;
using OrleansEvents.Silo;
using OrleansEvents.Streams;

namespace OrleansEvents.Cluster;

/// <summary>A node as its program starts it, in this process, called where its endpoints call it.</summary>
internal sealed class NodeHere(RunningApi running) : IAsyncDisposable
{
    public IServiceProvider Services => running.App.Services;

    public IEventStreams Streams => Services.GetRequiredService<IEventStreams>();

    public static async Task<NodeHere> Start(string connection, Action<IServiceCollection>? configure = null,
        params string[] options) => new(await ApiHost.StartAsync(["--urls", "http://127.0.0.1:0", "--silo-port", "0",
            "--gateway-port", "0", "--postgres", connection, .. options], configure, engine: SiloHost.Engine));

    public ValueTask DisposeAsync() => running.DisposeAsync();
}
