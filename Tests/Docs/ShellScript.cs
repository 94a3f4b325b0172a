using System.Diagnostics;
using System.Text.RegularExpressions;
using Xunit;

namespace OrleansEvents.Tests.Docs;

/// <summary>A block of commands of a document, run as one script, and what the document says that it prints.</summary>
internal static partial class ShellScript
{
    /// <summary>Each answer on a line; a refused request ends the script; nothing is left running.</summary>
    private const string Prelude = """
        trap 'kill -9 $(jobs -p) 2> /dev/null || true' EXIT
        set -e; shopt -s expand_aliases; alias curl="curl -sS --fail-with-body -w '\n'"

        """;

    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(120);

    /// <summary>Runs it to its end; what it printed, a line each.</summary>
    /// <param name="script">The commands.</param>
    /// <param name="replace">What stands in the document, and what is to be run instead.</param>
    public static async Task<string[]> Run(string script, params (string From, string To)[] replace)
    {
        foreach (var (from, to) in replace)
        {
            Assert.Contains(from, script, StringComparison.Ordinal);
            script = script.Replace(from, to, StringComparison.Ordinal);
        }
        var start = new ProcessStartInfo("bash")
        {
            RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true,
            WorkingDirectory = Documents.Root,
        };
        start.ArgumentList.Add("-c");
        start.ArgumentList.Add(Prelude + script);
        using var process = Process.Start(start)!;
        process.StandardInput.Close();
        var error = process.StandardError.ReadToEndAsync();
        var output = await process.StandardOutput.ReadToEndAsync().WaitAsync(s_patience);
        await process.WaitForExitAsync().WaitAsync(s_patience);
        Assert.True(process.ExitCode == 0, $"exit code {process.ExitCode}: {output}{await error}");
        return output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }

    /// <summary>The lines that a document shows behind a block; <c>…</c> stands for anything.</summary>
    public static void MustPrint(string document, string block, string[] output)
    {
        var behind = document[(document.IndexOf(block, StringComparison.Ordinal) + block.Length)..].Split('\n').Skip(1)
            .SkipWhile(line => line.Length == 0);
        var shown = behind.TakeWhile(line => line.StartsWith("    ", StringComparison.Ordinal))
            .Select(line => line[4..]).ToList();
        Assert.Equal(shown.Count, output.Length);
        foreach (var (line, printed) in shown.Zip(output))
            Assert.Matches($"^{Ellipsis().Replace(Regex.Escape(line), ".*")}$", printed);
    }

    [GeneratedRegex("…")]
    private static partial Regex Ellipsis();
}
