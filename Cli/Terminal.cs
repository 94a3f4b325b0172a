using System.Text;

namespace OrleansEvents.Cli;

/// <summary>What surrounds a command: its three streams, what they are connected to, and the environment.</summary>
internal sealed class Terminal
{
    private readonly Lock _errorLock = new();

    /// <summary>Opened by who reads it: opening the console's changes the terminal's modes, also for a child.</summary>
    public required Func<Stream> OpenIn { get; init; }

    public required Stream Out { get; init; }

    public required Stream Error { get; init; }

    public bool InIsTerminal { get; init; }

    public bool OutIsTerminal { get; init; }

    public bool ErrorIsTerminal { get; init; }

    /// <summary>Whether whoever read standard output (1) or standard error (2) has gone away.</summary>
    public Func<int, bool> IsClosed { get; init; } = static _ => false;

    public Func<string, string?> Variable { get; init; } = static _ => null;

    public TimeProvider Time { get; init; } = TimeProvider.System;

    public bool MayColour => string.IsNullOrEmpty(Variable("NO_COLOR")) && Variable("TERM") != "dumb";

    public static Terminal OfProcess() => new()
    {
        OpenIn = Console.OpenStandardInput,
        Out = Console.OpenStandardOutput(),
        Error = Console.OpenStandardError(),
        InIsTerminal = !Console.IsInputRedirected,
        OutIsTerminal = !Console.IsOutputRedirected,
        ErrorIsTerminal = !Console.IsErrorRedirected,
        IsClosed = Native.IsClosed,
        Variable = Environment.GetEnvironmentVariable,
    };

    /// <summary>One line for the person at the terminal, on standard error.</summary>
    public void Say(string line)
    {
        var text = "events: " + Visible.Text(line);
        Show((ErrorIsTerminal && MayColour ? $"{Colour.Dim}{text}{Colour.None}" : text) + "\n");
    }

    /// <summary>Text as it is on standard error.</summary>
    public void Show(string text)
    {
        lock (_errorLock)
        {
            Error.Write(Encoding.UTF8.GetBytes(text));
            Error.Flush();
        }
    }
}
