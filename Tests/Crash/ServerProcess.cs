using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;

namespace OrleansEvents.Tests.Crash;

/// <summary>The server as a process of its own, on a free port. Disposing it kills it.</summary>
internal sealed partial class ServerProcess : IAsyncDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);
    private readonly Process _process;
    private readonly ConcurrentQueue<string> _errors = new();
    private readonly TaskCompletionSource<Uri> _address = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Task _output;
    private readonly Task _error;

    private ServerProcess(Process process)
    {
        _process = process;
        Watchdog.Begin(process.Id);
        _error = ReadErrors();
        _output = ReadBanner();
    }

    public int Id => _process.Id;

    public Uri Address => _address.Task.Result;

    public bool HasExited => _process.HasExited;

    /// <summary>What it said on stderr: its log, or why it did not start.</summary>
    public IReadOnlyList<string> Errors => [.. _errors];

    /// <summary>Starts it and waits until it listens.</summary>
    public static Task<ServerProcess> StartAsync(string data, params string[] options) =>
        StartAsync(Spawn(data, options));

    /// <summary>Starts it with a managed heap of so many bytes at most, as in a small container, and waits until it
    /// listens.</summary>
    public static Task<ServerProcess> StartWithinAsync(long heapBytes, params string[] options) =>
        StartAsync(SpawnProgram(typeof(Api.ApiHost).Assembly.Location, ["--urls", "http://127.0.0.1:0", .. options],
            ("DOTNET_GCHeapHardLimit", $"{heapBytes:X}")));

    private static async Task<ServerProcess> StartAsync(ServerProcess server)
    {
        try
        {
            await server.ListensAsync();
            return server;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    /// <summary>Starts it and does not wait.</summary>
    public static ServerProcess Spawn(string data, params string[] options) =>
        SpawnProgram(typeof(Api.ApiHost).Assembly.Location,
            ["--urls", "http://127.0.0.1:0", "--data", data, .. options]);

    /// <summary>Starts a program that says where it listens as the server does, and does not wait.</summary>
    public static ServerProcess SpawnProgram(string program, string[] arguments,
        params (string Name, string Value)[] environment) => SpawnIn(null, program, arguments, environment);

    /// <summary>The same in a network of its own, or where this process is.</summary>
    public static ServerProcess SpawnIn(string? network, string program, string[] arguments,
        params (string Name, string Value)[] environment)
    {
        var dotnet = Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet";
        // It becomes the program: it has its id.
        var start = new ProcessStartInfo(network is null ? dotnet : "ip",
            network is null ? [] : ["netns", "exec", network, dotnet])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = Path.GetTempPath(),
        };
        start.ArgumentList.Add(program);
        foreach (var argument in arguments) start.ArgumentList.Add(argument);
        foreach (var (name, value) in environment) start.Environment[name] = value;
        return new ServerProcess(Process.Start(start)!);
    }

    public Task ListensAsync() => _address.Task.WaitAsync(s_patience);

    /// <summary>kill -9.</summary>
    public async Task KillAsync()
    {
        if (!_process.HasExited) _process.Kill();
        await WaitAsync();
    }

    /// <summary>SIGTERM; returns the exit code.</summary>
    public async Task<int> StopAsync()
    {
        await SignalAsync("TERM");
        return await WaitAsync();
    }

    public async Task SignalAsync(string signal)
    {
        using var kill = Process.Start("kill", ["-" + signal, Id.ToString(CultureInfo.InvariantCulture)]);
        await kill.WaitForExitAsync();
    }

    /// <summary>Waits for its end; returns the exit code.</summary>
    public async Task<int> WaitAsync()
    {
        await _process.WaitForExitAsync().WaitAsync(s_patience);
        Watchdog.End(Id);
        await Task.WhenAll(_output, _error).WaitAsync(s_patience);
        return _process.ExitCode;
    }

    /// <summary>Resident memory now.</summary>
    public long ResidentBytes
    {
        get
        {
            _process.Refresh();
            return _process.WorkingSet64;
        }
    }

    /// <summary>The most that was resident since it started.</summary>
    public long PeakResidentBytes
    {
        get
        {
            _process.Refresh();
            return _process.PeakWorkingSet64;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await KillAsync();
        _process.Dispose();
    }

    private async Task ReadBanner()
    {
        while (await _process.StandardOutput.ReadLineAsync() is { } line)
            if (Listens().Match(line) is { Success: true } match) _address.TrySetResult(new Uri(match.Groups[1].Value));
        await _error;
        _address.TrySetException(new InvalidOperationException($"The server ended: {string.Join('\n', _errors)}"));
    }

    private async Task ReadErrors()
    {
        while (await _process.StandardError.ReadLineAsync() is { } line) _errors.Enqueue(line);
    }

    [GeneratedRegex(@"listens on (http://[0-9.:]+)")]
    private static partial Regex Listens();
}
