using System.Diagnostics;

namespace OrleansEvents.Tests.Docs;

/// <summary>The server as its own process, over a new data folder.</summary>
internal sealed class ServerProcess : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("events-docs-");
    private readonly Process _process;

    private ServerProcess()
    {
        var start = new ProcessStartInfo(Dotnet) { RedirectStandardOutput = true, RedirectStandardError = true };
        string[] args =
            [typeof(Api.ApiHost).Assembly.Location, "--urls", "http://127.0.0.1:0", "--data", _folder.FullName];
        foreach (var arg in args)
            start.ArgumentList.Add(arg);
        _process = Process.Start(start)!;
        _process.ErrorDataReceived += (_, _) => { };
        _process.BeginErrorReadLine();
    }

    public static string Dotnet => Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet";

    public int Id => _process.Id;

    public string Address { get; private set; } = "";

    /// <summary>Starts it and waits until it listens.</summary>
    public static async Task<ServerProcess> Start()
    {
        var server = new ServerProcess();
        while (await server._process.StandardOutput.ReadLineAsync() is { } line)
        {
            if (line.Split(" listens on ") is not [_, var rest]) continue;
            server.Address = rest.Split(',')[0];
            return server;
        }
        server.Dispose();
        throw new InvalidOperationException("The server did not start");
    }

    public void Dispose()
    {
        _process.Kill();
        _process.WaitForExit();
        _process.Dispose();
        _folder.Delete(recursive: true);
    }
}
