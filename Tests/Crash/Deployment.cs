using OrleansEvents.Tests.Storage;

namespace OrleansEvents.Tests.Crash;

/// <summary>One data folder and the processes that serve it, one after another. Clients ask where it is now.</summary>
internal sealed class Deployment(params string[] options) : IAsyncDisposable
{
    private readonly DataFolder _folder = new();
    private readonly List<TimeSpan> _starts = [];
    private volatile Uri? _address;
    private ServerProcess? _server;

    public string Path => _folder.Path;

    public ServerProcess Server => _server!;

    /// <summary>How long the starts took, from the spawn to the first answer.</summary>
    public string StartSummary
    {
        get
        {
            var starts = _starts.Order().ToArray();
            return $"Start to first answer: median {starts[starts.Length / 2].TotalMilliseconds:F0} ms, "
                + $"slowest {starts[^1].TotalMilliseconds:F0} ms of {starts.Length}";
        }
    }

    public async Task StartAsync()
    {
        var began = TimeProvider.System.GetTimestamp();
        _server = await ServerProcess.StartAsync(_folder.Path, options);
        using var http = EventsHttp.NewClient();
        await http.GetAsync(_server.Address, "/readyz");
        _starts.Add(TimeProvider.System.GetElapsedTime(began));
        _address = _server.Address;
    }

    public async Task KillAsync()
    {
        _address = null;
        if (_server is not { } server) return;
        _server = null;
        await server.DisposeAsync();
    }

    /// <summary>Stops it gracefully; returns the exit code.</summary>
    public async Task<int> StopAsync()
    {
        var code = await _server!.StopAsync();
        await KillAsync();
        return code;
    }

    /// <summary>A process that is killed after a time, whether it was ready by then or not.</summary>
    public async Task KillWhileStartingAsync(TimeSpan after)
    {
        await using var server = ServerProcess.Spawn(_folder.Path, options);
        await Task.Delay(after);
    }

    /// <summary>Where it listens, as soon as it does.</summary>
    public async Task<Uri> AddressAsync(CancellationToken cancel)
    {
        while (true)
        {
            if (_address is { } address) return address;
            await Task.Delay(5, cancel);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await KillAsync();
        _folder.Dispose();
    }
}
