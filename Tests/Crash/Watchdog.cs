using System.Diagnostics;

namespace OrleansEvents.Tests.Crash;

/// <summary>
/// Ends what the tests started even if the tests themselves are killed: a shell that is told of every server process,
/// and that kills those still there when its input closes.
/// </summary>
internal static class Watchdog
{
    private const string Script = """
        trap '' INT TERM HUP
        exec >/dev/null 2>&1
        left=''
        while read -r what pid; do
            case $what in
                begin) left="$left $pid" ;;
                end)
                    others=''
                    for each in $left; do [ "$each" = "$pid" ] || others="$others $each"; done
                    left=$others ;;
            esac
        done
        for pid in $left; do kill -9 "$pid"; done
        """;

    private static readonly Lock s_lock = new();
    private static Process? s_shell;

    public static void Begin(int process) => Tell("begin", process);

    public static void End(int process) => Tell("end", process);

    private static void Tell(string what, int process)
    {
        lock (s_lock)
        {
            s_shell ??= Start();
            s_shell.StandardInput.WriteLine($"{what} {process}");
            s_shell.StandardInput.Flush();
        }
    }

    private static Process Start()
    {
        var start = new ProcessStartInfo("sh") { RedirectStandardInput = true };
        start.ArgumentList.Add("-c");
        start.ArgumentList.Add(Script);
        return Process.Start(start)!;
    }
}
