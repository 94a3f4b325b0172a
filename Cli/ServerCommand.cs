using System.CommandLine;
using System.CommandLine.Parsing;
using OrleansEvents.Client;

namespace OrleansEvents.Cli;

/// <summary>What every command gets: where the server is, the terminal, and the signals.</summary>
internal sealed record Surroundings(Option<Uri> Url, Terminal Terminal, Signals Signals);

/// <summary>A command with a client of the server that <c>--url</c> names.</summary>
internal abstract class ServerCommand : Command
{
    private readonly Surroundings _surroundings;

    protected ServerCommand(string name, string description, Surroundings surroundings)
        : base(name, description)
    {
        _surroundings = surroundings;
        SetAction(RunAsync);
    }

    protected Terminal Terminal => _surroundings.Terminal;

    protected Signals Signals => _surroundings.Signals;

    protected virtual EventsClientOptions? Patience => null;

    /// <summary>Runs until it is done, or until the first signal cancels it; answers the exit code.</summary>
    protected abstract Task<int> RunAsync(ParseResult parsed, EventsClient client, CancellationToken cancellationToken);

    protected Uri Server(ParseResult parsed) => parsed.GetValue(_surroundings.Url)!;

    protected static Option<string[]> TypesOption() => new("--types")
    {
        Description = "Only events of these types, with commas between.",
        HelpName = "A,B",
        CustomParser = Parts,
    };

    protected static string[] Parts(ArgumentResult result) =>
        [.. result.Tokens.SelectMany(token => Parts(token.Value))];

    protected static string[] Parts(string list) =>
        list.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    private async Task<int> RunAsync(ParseResult parsed, CancellationToken _)
    {
        using var client = new EventsClient(Server(parsed), options: Patience, time: Terminal.Time);
        return await RunAsync(parsed, client, Signals.Token);
    }
}
