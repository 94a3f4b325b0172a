using System.CommandLine;
using System.IO.Pipelines;
using OrleansEvents.Client;

namespace OrleansEvents.Cli;

/// <summary><c>events tail STREAM|PATTERN</c></summary>
internal sealed class TailCommand : Command
{
    private const StringSplitOptions Split = StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries;

    private readonly Argument<string> _streams = new("STREAM")
    {
        Description = """
            A stream, a pattern ('*' is one token, '>' the rest), or several of them with commas between. Gaps, problems
            and reconnects are told on standard error. Ends with 0 when the stream has ended or nobody reads the output
            any more, with 1 when the server refuses, with 130 after Ctrl-C.
            """,
    };

    private readonly Option<string?> _after = new("--after")
    {
        Description = "A cursor to go on from; '0' is everything that is retained, '$' only what comes from now on. "
            + "Without it: the newest events that the server has in memory, then what comes.",
        HelpName = "CURSOR",
    };

    private readonly Option<string[]> _types = new("--types")
    {
        Description = "Only events of these types, with commas between.",
        HelpName = "A,B",
        CustomParser = result => [.. result.Tokens.SelectMany(token => token.Value.Split(',', Split))],
    };

    private readonly Option<bool> _json = new("--json")
    {
        Description = "Print each event's line of JSON as it was received.",
    };

    public TailCommand(Option<Uri> url, Terminal terminal, Signals signals)
        : base(
            "tail",
            "Print the events of a stream as they come, over lost connections too.")
    {
        Add(_streams);
        Add(_after);
        Add(_types);
        Add(_json);
        SetAction((parsed, _) => TailAsync(parsed, parsed.GetValue(url)!, terminal, signals.Token));
    }

    private async Task<int> TailAsync(
        ParseResult parsed, Uri server, Terminal terminal, CancellationToken cancellationToken)
    {
        using var client = new EventsClient(server, time: terminal.Time);
        var options = new ReadOptions { After = parsed.GetValue(_after), Types = parsed.GetValue(_types) ?? [] };
        var names = parsed.GetValue(_streams)!.Split(',', Split);
        var reader = names.Length == 1 ? client.ReadAsync(names[0], options) : client.ReadAsync(names, options);
        var news = new ConnectionNews(terminal, server);
        reader.StateChanged += news.Tell;
        var manyStreams = names.Length > 1 || names[0].AsSpan().ContainsAny("*>");
        var form = new EventForm(terminal, parsed.GetValue(_json), manyStreams);
        await PrintAsync(reader, form, news, terminal, cancellationToken);
        return 0;
    }

    private static async Task PrintAsync(
        EventReader reader, EventForm form, ConnectionNews news, Terminal terminal, CancellationToken cancellationToken)
    {
        var output = PipeWriter.Create(terminal.Out, new StreamPipeWriterOptions(leaveOpen: true));
        await using var frames = reader.GetAsyncEnumerator(cancellationToken);
        while (true)
        {
            var next = frames.MoveNextAsync();
            var waits = !next.IsCompleted;
            // What has arrived together goes out together; before a wait all of it is out.
            if (waits || output.UnflushedBytes > 64 * 1024)
                await output.FlushAsync(CancellationToken.None);
            // Heartbeats end a wait too, so a pipe whose reader has gone ends a quiet stream's tail as well.
            if (!await next || (waits && terminal.IsClosed(1)))
                break;
            if (frames.Current is EventFrame { Event: var arrived })
                form.Write(output, arrived);
            else
                news.Tell(frames.Current);
        }
        await output.CompleteAsync();
    }
}
