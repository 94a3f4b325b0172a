using System.ComponentModel;
using System.Diagnostics;

namespace OrleansEvents.Cli;

/// <summary>A process whose output is copied through and heard line by line. Its input is this process's own.</summary>
internal sealed class ChildProcess : IDisposable
{
    // Something left behind in the background may hold the pipes open; it is heard as long as it keeps talking.
    private static readonly TimeSpan SilenceAfterExit = TimeSpan.FromSeconds(1);

    private readonly Process _process;
    private readonly Task _exited;

    private ChildProcess(Process process)
    {
        _process = process;
        _exited = process.WaitForExitAsync();
    }

    public int Id => _process.Id;

    public static ChildProcess Start(string path, IEnumerable<string> arguments)
    {
        var start = new ProcessStartInfo(path, arguments)
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        var process = Native.WithBrokenPipeSignal(() => Process.Start(start));
        return new ChildProcess(process ?? throw new Win32Exception());
    }

    /// <summary>The exit code; 128 and the signal's number for a process that a signal ended.</summary>
    public async Task<int> RunAsync(Terminal terminal, Func<string, string, Task> heard)
    {
        await Task.WhenAll(
            PumpAsync(_process.StandardOutput.BaseStream, terminal.Out, 1, line => heard(LogEntry.Output, line)),
            PumpAsync(_process.StandardError.BaseStream, terminal.Error, 2, line => heard(LogEntry.ErrorOutput, line)));
        await _exited;
        return _process.ExitCode;

        async Task PumpAsync(Stream from, Stream echo, int descriptor, Func<string, Task> line)
        {
            var splitter = new LineSplitter();
            var buffer = new byte[16 * 1024];
            while (await ReadAsync(from, buffer, terminal.Time) is > 0 and var length)
            {
                await echo.WriteAsync(buffer.AsMemory(0, length));
                await echo.FlushAsync();
                foreach (var text in splitter.Add(buffer.AsMemory(0, length)))
                    await line(text);
                // Nobody reads our output any more: the command shall learn it as it would without us.
                if (terminal.IsClosed(descriptor))
                    break;
            }
            if (splitter.Rest() is { } rest)
                await line(rest);
            await from.DisposeAsync();
        }
    }

    /// <summary>Passes a signal on. A process that has exited gets none: its number may be another's by now.</summary>
    public void Signal(int signal)
    {
        if (!_exited.IsCompleted)
            Native.Signal(_process.Id, signal);
    }

    public void Dispose() => _process.Dispose();

    private async Task<int> ReadAsync(Stream from, byte[] buffer, TimeProvider time)
    {
        var reading = from.ReadAsync(buffer).AsTask();
        if (!reading.IsCompleted)
            await Task.WhenAny(reading, _exited);
        try
        {
            return await reading.WaitAsync(SilenceAfterExit, time);
        }
        catch (TimeoutException)
        {
            return 0;
        }
    }
}
