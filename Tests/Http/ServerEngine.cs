using Microsoft.Extensions.DependencyInjection;
using OrleansEvents.Api;
using Xunit;

namespace OrleansEvents.Tests.Http;

/// <summary>What is behind a <see cref="TestServer"/>: here the embedded engine. The tests of the cluster compile the
/// tests of the contract with another.</summary>
internal sealed class ServerEngine : IAsyncDisposable
{
    /// <summary>Whether a server is several nodes, each of which knows its own part.</summary>
    public static bool IsCluster => false;

    private readonly string? _folder;

    private ServerEngine(string? folder) => _folder = folder;

    /// <summary>What is published is gone with the server.</summary>
    public static ServerEngine Forgetting() => new(null);

    /// <summary>What is published is there again when the server starts again.</summary>
    public static ServerEngine Keeping() => new(Directory.CreateTempSubdirectory("events-").FullName);

    /// <param name="common">Options of all servers.</param>
    /// <param name="options">Those of this one, which win.</param>
    /// <param name="services">Adds to or replaces what the server registers.</param>
    public async Task<RunningServer> Start(string[] common, string[] options, Action<IServiceCollection>? services)
    {
        string[] store = _folder is null ? ["--store", "memory"] : ["--store", "sqlite", "--data", _folder];
        return new(await ApiHost.StartAsync([.. common, .. store, .. options], services,
            cancel: TestContext.Current.CancellationToken));
    }

    /// <summary>One over a copy of what is stored now.</summary>
    public async Task<ServerEngine> Crashed()
    {
        var copy = Directory.CreateDirectory(Path.Combine(_folder!, "copy")).FullName;
        foreach (var path in Directory.GetFiles(_folder!).Where(path => new FileInfo(path).Length > 0))
        {
            await using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
            await using var copied = File.Create(Path.Combine(copy, Path.GetFileName(path)));
            await file.CopyToAsync(copied);
        }
        return new ServerEngine(copy);
    }

    public ValueTask DisposeAsync()
    {
        if (_folder is not null) Directory.Delete(_folder, recursive: true);
        return ValueTask.CompletedTask;
    }
}

/// <summary>A server that runs. Disposing it stops it gracefully.</summary>
internal sealed record RunningServer(RunningApi Api) : IAsyncDisposable
{
    public ValueTask DisposeAsync() => Api.DisposeAsync();
}
