using System.Diagnostics;
using System.Globalization;
using OrleansEvents.Cli;

namespace OrleansEvents.Tests.Cli;

/// <summary>Scripts in which <c>events</c> is the command line as a process of its own.</summary>
internal static class Shell
{
    public static async Task<(int Exit, string Output, string Error)> RunAsync(Uri server, string script)
    {
        using var process = Start(server, script, ownSession: false);
        var output = process.StandardOutput.ReadToEndAsync();
        var error = process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(60));
        return (process.ExitCode, await output, await error);
    }

    /// <summary>In a session of its own a process has no terminal, so no key can have reached its child.</summary>
    public static Process Start(Uri server, string script, bool ownSession)
    {
        var program = Path.ChangeExtension(typeof(EventsCommandLine).Assembly.Location, null);
        var start = new ProcessStartInfo(ownSession ? "setsid" : "bash")
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            Environment = { ["EVENTS_URL"] = server.ToString() },
        };
        if (ownSession)
            start.ArgumentList.Add("bash");
        start.ArgumentList.Add("-c");
        start.ArgumentList.Add(script.Replace("events ", $"'{program}' ", StringComparison.Ordinal));
        return Process.Start(start)!;
    }

    public static async Task KillAsync(string signal, int process)
    {
        using var kill = Process.Start("kill", ["-" + signal, process.ToString(CultureInfo.InvariantCulture)]);
        await kill.WaitForExitAsync();
    }
}
