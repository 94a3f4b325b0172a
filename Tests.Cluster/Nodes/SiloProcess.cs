using System.Text.RegularExpressions;
using OrleansEvents.Silo;
using OrleansEvents.Tests.Crash;

namespace OrleansEvents.Tests.Cluster.Nodes;

/// <summary>A node of the cluster as a process of its own, on free ports of loopback. Disposing it kills it.</summary>
internal sealed partial class SiloProcess(ServerProcess process) : IAsyncDisposable
{
    public Uri Address => process.Address;

    public bool HasExited => process.HasExited;

    /// <summary>Its log.</summary>
    public IReadOnlyList<string> Log => process.Errors;

    /// <summary>Starts it and waits until it is ready, which it is when it has joined.</summary>
    public static async Task<SiloProcess> Start(params string[] options)
    {
        var silo = Spawn(options);
        try
        {
            await silo.IsReady();
            return silo;
        }
        catch
        {
            await silo.DisposeAsync();
            throw;
        }
    }

    public static SiloProcess Spawn(params string[] options) => new(ServerProcess.SpawnProgram(
        typeof(SiloHost).Assembly.Location, ["--urls", "http://127.0.0.1:0", "--silo-port", "0", "--gateway-port", "0",
            "--Logging:LogLevel:OrleansEvents.Grains", "Debug", .. options]));

    /// <summary>Starts it in a network of its own, and does not wait.</summary>
    public static SiloProcess SpawnIn((string Network, string Address) place, params string[] options) =>
        new(ServerProcess.SpawnIn(place.Network, typeof(SiloHost).Assembly.Location, ["--urls",
            $"http://{place.Address}:0", "--silo-port", "11111", "--gateway-port", "30000", "--advertise",
            place.Address, "--Logging:LogLevel:OrleansEvents.Grains", "Debug", .. options]));

    public async Task IsReady()
    {
        await process.ListensAsync();
        using var http = EventsHttp.NewClient();
        await Given.Until(async () =>
            await http.TrySendAsync(HttpMethod.Get, Address, "/readyz") is { IsSuccess: true });
    }

    /// <summary>Whether it has opened a stream since it began, by its log. Others may have since.</summary>
    public bool HasOpened(string stream) =>
        Log.Any(line => Opened().Match(line) is { Success: true } match && match.Groups[1].Value == stream);

    /// <summary>Whether it has closed a stream since it began, by its log.</summary>
    public bool HasClosed(string stream) =>
        Log.Any(line => Closed().Match(line) is { Success: true } match && match.Groups[1].Value == stream);

    /// <summary>kill -9.</summary>
    public Task Kill() => process.KillAsync();

    /// <summary>SIGTERM; returns the exit code.</summary>
    public Task<int> Stop() => process.StopAsync();

    /// <summary>SIGSTOP: from now on it does nothing, and does not know it.</summary>
    public Task Freeze() => process.SignalAsync("STOP");

    /// <summary>SIGCONT.</summary>
    public Task Thaw() => process.SignalAsync("CONT");

    /// <summary>Waits for its end; returns the exit code.</summary>
    public Task<int> Ends() => process.WaitAsync();

    public ValueTask DisposeAsync() => process.DisposeAsync();

    [GeneratedRegex(@"\[2000\] Stream (\S+) opened")]
    private static partial Regex Opened();

    [GeneratedRegex(@"\[2001\] Stream (\S+) closed")]
    private static partial Regex Closed();
}
