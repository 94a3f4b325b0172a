using System.CommandLine;
using System.Text;
using OrleansEvents.Client;

namespace OrleansEvents.Cli;

/// <summary><c>events publish STREAM [JSON|-]</c></summary>
internal sealed class PublishCommand : ServerCommand
{
    private readonly Argument<string> _stream = new("STREAM") { Description = "The stream to publish to." };

    private readonly Argument<string?> _json = new("JSON")
    {
        Description = """
            The event's data as one JSON value. With '-', or without it when something is piped in, each line of
            standard input is an event: an object that has "type" and "data" is a whole event (what 'tail --json'
            prints is one), anything else is the data of an event of --type. Ends with 0, or with 1 when an event was
            refused; a summary is on standard error.
            """,
        Arity = ArgumentArity.ZeroOrOne,
    };

    private readonly Option<string> _type = new("--type")
    {
        Description = "The type of events that do not bring their own.",
        HelpName = "TYPE",
        DefaultValueFactory = _ => "message",
    };

    private readonly Option<bool> _critical = new("--critical")
    {
        Description = "Make events that do not say so themselves durable, and owed to every subscriber.",
    };

    private readonly Option<string?> _key = new("--key")
    {
        Description = "The publisher's own id: a second event with it is not appended. Line N of the input gets KEY/N.",
        HelpName = "KEY",
    };

    public PublishCommand(Surroundings surroundings)
        : base("publish", "Publish one event, or each line of JSON from standard input.", surroundings)
    {
        Add(_stream);
        Add(_json);
        Add(_type);
        Add(_critical);
        Add(_key);
    }

    protected override async Task<int> RunAsync(
        ParseResult parsed, EventsClient client, CancellationToken cancellationToken)
    {
        var defaults = new EventDefaults(
            parsed.GetValue(_type)!, parsed.GetValue(_critical) ? true : null, parsed.GetValue(_key));
        var run = new Run(client, Terminal, parsed.GetValue(_stream)!, defaults);
        var json = parsed.GetValue(_json);
        if (json is not null and not "-")
            return await run.OneAsync(json, cancellationToken);
        if (json is null && Terminal.InIsTerminal)
        {
            Terminal.Say("give the event's data as JSON, or pipe lines of it in (--help tells more)");
            return ExitCodes.Usage;
        }
        return await run.LinesAsync(cancellationToken);
    }

    private sealed class Run(EventsClient client, Terminal terminal, string stream, EventDefaults defaults)
    {
        public async Task<int> OneAsync(string json, CancellationToken cancellationToken)
        {
            if (InputEvent.Fault(Encoding.UTF8.GetBytes(json)) is { } fault)
                return Refused($"INVALID_INPUT: the data is not JSON: {fault}");
            var result = await client.PublishAsync(stream, defaults.Event(json), cancellationToken);
            terminal.Say(result.Duplicates > 0
                ? $"{stream} {result.First} was there already, with the same key"
                : $"{stream} {result.First} published, cursor {result.Cursor}");
            return 0;
        }

        public async Task<int> LinesAsync(CancellationToken cancellationToken)
        {
            var progress = new PublishProgress(terminal, stream);
            var input = new InputBatches(terminal.OpenIn(), defaults);
            try
            {
                while (await input.NextAsync(cancellationToken) is { } batch)
                {
                    progress.Published(await client.PublishAsync(stream, batch, cancellationToken));
                }
            }
            finally
            {
                progress.Done();
            }
            return input.Fault is { } fault ? Refused(fault) : 0;
        }

        private int Refused(string why)
        {
            terminal.Say(why);
            return ExitCodes.Failed;
        }
    }
}
