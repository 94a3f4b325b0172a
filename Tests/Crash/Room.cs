using System.Diagnostics;
using System.Globalization;

namespace OrleansEvents.Tests.Crash;

/// <summary>A way to leave storage no room, and to give it some again.</summary>
internal abstract class Room
{
    /// <summary>Before the server starts; a reason when it cannot be done here.</summary>
    public virtual Task<string?> PrepareAsync(string folder) => Task.FromResult<string?>(null);

    public abstract Task TakeAsync(ServerProcess server, string folder);

    public abstract Task GiveAsync(ServerProcess server, string folder);

    public virtual Task CleanUpAsync(string folder) => Task.CompletedTask;

    /// <summary>Null when it worked, else why not.</summary>
    protected static async Task<string?> RunAsync(string program, params string[] arguments)
    {
        try
        {
            var start = new ProcessStartInfo(program, arguments)
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            };
            using var process = Process.Start(start)!;
            process.OutputDataReceived += (_, _) => { };
            process.BeginOutputReadLine();
            var error = await process.StandardError.ReadToEndAsync();
            await process.WaitForExitAsync();
            return process.ExitCode == 0 ? null : $"{program}: {error.Trim()}";
        }
        catch (System.ComponentModel.Win32Exception missing)
        {
            return $"{program}: {missing.Message}";
        }
    }

    protected static async Task MustAsync(string program, params string[] arguments)
    {
        if (await RunAsync(program, arguments) is { } failure) throw new InvalidOperationException(failure);
    }
}

/// <summary>A limit on the size of the process's files.</summary>
internal sealed class FileSizeRoom : Room
{
    private const long Left = 200_000;

    public override Task<string?> PrepareAsync(string folder) => RunAsync("prlimit", "--version");

    public override Task TakeAsync(ServerProcess server, string folder)
    {
        var largest = Directory.GetFiles(folder).Max(file => new FileInfo(file).Length);
        return LimitAsync(server, (largest + Left).ToString(CultureInfo.InvariantCulture));
    }

    public override Task GiveAsync(ServerProcess server, string folder) => LimitAsync(server, "unlimited");

    private static Task LimitAsync(ServerProcess server, string most) =>
        MustAsync("prlimit", "--pid", server.Id.ToString(CultureInfo.InvariantCulture), $"--fsize={most}:");
}

/// <summary>A small file system of its own, filled by another file.</summary>
internal sealed class SmallDiskRoom : Room
{
    private const string Filler = "filler";

    public override Task<string?> PrepareAsync(string folder) =>
        RunAsync("mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", folder);

    public override Task TakeAsync(ServerProcess server, string folder)
    {
        var block = new byte[4096];
        using var file = File.Open(Path.Combine(folder, Filler), FileMode.Create);
        try
        {
            while (true)
            {
                file.Write(block);
                file.Flush();
            }
        }
        catch (IOException)
        {
            return Task.CompletedTask;
        }
    }

    public override Task GiveAsync(ServerProcess server, string folder)
    {
        File.Delete(Path.Combine(folder, Filler));
        return Task.CompletedTask;
    }

    public override Task CleanUpAsync(string folder) => MustAsync("umount", folder);
}
