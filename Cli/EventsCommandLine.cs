using System.CommandLine;
using System.CommandLine.Help;
using OrleansEvents.Client;

namespace OrleansEvents.Cli;

internal static class EventsCommandLine
{
    public static async Task<int> Main(string[] args)
    {
        using var signals = Signals.OfProcess();
        return await RunAsync(args, Terminal.OfProcess(), signals);
    }

    public static async Task<int> RunAsync(string[] args, Terminal terminal, Signals signals)
    {
        var url = UrlOption(terminal);
        var surroundings = new Surroundings(url, terminal, signals);
        var events = new Command("events", "Publish to, follow and feed the event streams of an OrleansEvents server.")
        {
            new HelpOption(),
            new VersionOption(),
            url,
            new PublishCommand(surroundings),
            new TailCommand(surroundings),
            new RunCommand(surroundings),
            new SubscriberCommand(surroundings),
        };
        // No response files: an argument of a command that is run may well begin with '@'.
        var parsing = new ParserConfiguration { ResponseFileTokenReplacer = null };
        var parsed = events.Parse(args.Length > 0 ? args : ["--help"], parsing);
        if (parsed.Errors.Count > 0)
        {
            terminal.Say(parsed.Errors[0].Message + " (--help tells more)");
            return ExitCodes.Usage;
        }
        return await GuardedAsync(() => parsed.InvokeAsync(Configuration(terminal)), terminal, signals);
    }

    private static async Task<int> GuardedAsync(Func<Task<int>> command, Terminal terminal, Signals signals)
    {
        try
        {
            return await command();
        }
        catch (EventsException failure)
        {
            terminal.Say(failure.Message);
            return ExitCodes.Failed;
        }
        catch (OperationCanceledException) when (signals.Token.IsCancellationRequested)
        {
            return signals.ExitCode;
        }
    }

    private static Option<Uri> UrlOption(Terminal terminal) => new("--url")
    {
        Description = "The server's address; else the environment's EVENTS_URL, else http://127.0.0.1:5080.",
        HelpName = "URL",
        Recursive = true,
        CustomParser = result => Address(result.Tokens[0].Value, "--url", result.AddError),
        DefaultValueFactory = result => terminal.Variable("EVENTS_URL") is { Length: > 0 } address
            ? Address(address, "EVENTS_URL", result.AddError)!
            : new Uri("http://127.0.0.1:5080"),
    };

    private static Uri? Address(string text, string from, Action<string> refuse)
    {
        if (Uri.TryCreate(text, UriKind.Absolute, out var address) && address.Scheme is "http" or "https")
            return address;
        refuse($"{from}: '{text}' is not an http:// or https:// address");
        return null;
    }

    private static InvocationConfiguration Configuration(Terminal terminal) => new()
    {
        EnableDefaultExceptionHandler = false,
        // Signals are handled here: run hands them to its command.
        ProcessTerminationTimeout = null,
        Output = new StreamWriter(terminal.Out) { AutoFlush = true },
        Error = new StreamWriter(terminal.Error) { AutoFlush = true },
    };
}
