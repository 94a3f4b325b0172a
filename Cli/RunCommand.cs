using System.CommandLine;
using System.CommandLine.Parsing;
using System.ComponentModel;
using System.Globalization;
using System.Security.Cryptography;
using OrleansEvents.Client;

namespace OrleansEvents.Cli;

/// <summary><c>events run STREAM -- COMMAND…</c></summary>
internal sealed class RunCommand : ServerCommand
{
    private readonly Argument<string> _stream = new("STREAM") { Description = "The stream to record to." };

    private readonly Argument<string[]> _command = new("COMMAND")
    {
        Description = """
            The command and its arguments, behind '--'. Its exit code is this one's: 127 when it is not found, 126 when
            it cannot be executed, 128 and the number of the signal that ended it.
            """,
        Arity = ArgumentArity.OneOrMore,
    };

    private readonly Option<bool> _keepOpen = new("--keep-open")
    {
        Description = "Leave the stream open at the end, for the next run to add to.",
    };

    private readonly Option<bool> _replace = new("--replace")
    {
        Description = "Remove the stream first, with all its events: a stream that has ended takes no more.",
    };

    private readonly Option<int> _queue = Positive("--queue", "EVENTS", 10_000,
        "How many entries may wait while the server is away; then the oldest are dropped, and the stream says so.");

    private readonly Option<int> _queueBytes = Positive("--queue-bytes", "BYTES", 8 * 1024 * 1024,
        "How many bytes of entries may wait.");

    private readonly Option<double> _wait = new("--wait")
    {
        Description = "How long to wait at the end for what is not sent yet, in seconds.",
        HelpName = "SECONDS",
        DefaultValueFactory = _ => 10,
        CustomParser = Seconds,
    };

    public RunCommand(Surroundings surroundings)
        : base(
            "run",
            "Run a command and record what it prints as 'log_entry' events; the stream ends with it.",
            surroundings)
    {
        Add(_stream);
        Add(_command);
        Add(_keepOpen);
        Add(_replace);
        Add(_queue);
        Add(_queueBytes);
        Add(_wait);
    }

    /// <summary>The outbox has its own patience: it must know of each failure.</summary>
    protected override EventsClientOptions Patience =>
        new() { Retries = 0, RequestTimeout = TimeSpan.FromSeconds(10) };

    protected override async Task<int> RunAsync(
        ParseResult parsed, EventsClient client, CancellationToken cancellationToken)
    {
        var limits = new QueueLimits(parsed.GetValue(_queue), parsed.GetValue(_queueBytes));
        using var outbox = new Outbox(
            client,
            parsed.GetValue(_stream)!,
            new EntryQueue(limits, NewKeyPrefix(), Terminal.Time),
            Terminal,
            new OutboxEnds(parsed.GetValue(_replace), Complete: !parsed.GetValue(_keepOpen)));
        var exitCode = await RecordAsync(parsed.GetValue(_command)!, outbox, Terminal, Signals);
        await outbox.FinishAsync(TimeSpan.FromSeconds(parsed.GetValue(_wait)), cancellationToken);
        return exitCode;
    }

    private static async Task<int> RecordAsync(string[] command, Outbox outbox, Terminal terminal, Signals signals)
    {
        var start = terminal.Time.GetTimestamp();
        if (CommandPath.Find(command[0], terminal.Variable("PATH"), out var notFound) is not { } path)
            return await NotStartedAsync(command[0], notFound, outbox, terminal);
        ChildProcess child;
        try
        {
            child = ChildProcess.Start(path, command[1..]);
        }
        catch (Win32Exception)
        {
            return await NotStartedAsync(command[0], ExitCodes.NotExecutable, outbox, terminal);
        }
        using (child)
        using (signals.Take(signal => Forward(signal, child)))
        {
            await outbox.AddAsync(LogEntry.System, $"started: {string.Join(' ', command)} (process {child.Id})");
            var exitCode = await child.RunAsync(terminal, outbox.AddAsync);
            await outbox.AddAsync(LogEntry.System, Farewell(exitCode, terminal.Time.GetElapsedTime(start)));
            return exitCode;
        }
    }

    private static async Task<int> NotStartedAsync(string command, int exitCode, Outbox outbox, Terminal terminal)
    {
        var why = exitCode == ExitCodes.NotFound ? $"{command}: command not found" : $"{command}: cannot be executed";
        terminal.Say(why);
        await outbox.AddAsync(LogEntry.Error, why);
        return exitCode;
    }

    /// <summary>A key at the terminal has reached the child already: twice means "at once" to many programs.</summary>
    private static void Forward(int signal, ChildProcess child)
    {
        const int interrupt = 2, quit = 3;
        if (signal is not (interrupt or quit) || !Native.IsInForeground())
            child.Signal(signal);
    }

    private static string Farewell(int exitCode, TimeSpan elapsed)
    {
        var signal = exitCode > 128 ? $" (signal {exitCode - 128})" : "";
        return string.Create(
            CultureInfo.InvariantCulture, $"exited with code {exitCode}{signal} after {elapsed.TotalSeconds:0.0} s");
    }

    private static Option<int> Positive(string name, string helpName, int standard, string description) => new(name)
    {
        Description = description,
        HelpName = helpName,
        DefaultValueFactory = _ => standard,
        CustomParser = result =>
        {
            if (int.TryParse(result.Tokens[0].Value, CultureInfo.InvariantCulture, out var number) && number > 0)
                return number;
            result.AddError($"{name} takes a number above 0.");
            return standard;
        },
    };

    private static double Seconds(ArgumentResult result)
    {
        if (double.TryParse(result.Tokens[0].Value, CultureInfo.InvariantCulture, out var seconds)
            && seconds is >= 0 and <= 86_400)
            return seconds;
        result.AddError("--wait takes 0 to 86400 seconds.");
        return 0;
    }

    private static string NewKeyPrefix() => "run-" + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(8));
}
