using System.CommandLine;
using System.IO.Pipelines;
using OrleansEvents.Client;

namespace OrleansEvents.Cli;

/// <summary><c>events tail STREAM|PATTERN</c></summary>
internal sealed class TailCommand : ServerCommand
{
    private readonly Argument<string> _streams = new("STREAM")
    {
        Description = """
            A stream, a pattern ('*' is one token, '>' the rest), or several of them with commas between. Gaps, problems
            and reconnects are told on standard error. From the second delivery on, an event's number has '/' and the
            number of the delivery behind it. Ends with 0 when the stream has ended or nobody reads the output
            any more, with 1 when the server refuses, with 130 after Ctrl-C.
            """,
    };

    private readonly Option<string?> _after = new("--after")
    {
        Description = "A cursor to go on from; '0' is everything that is retained, '$' only what comes from now on. "
            + "Without it: the newest events that the server has in memory, then what comes.",
        HelpName = "CURSOR",
    };

    private readonly Option<string[]> _types = TypesOption();

    private readonly Option<bool> _json = new("--json")
    {
        Description = "Print each event's line of JSON as it was received.",
    };

    private readonly Option<string?> _subscriber = new("--subscriber")
    {
        Description = "Read on behalf of this subscriber of one stream, which is owed every critical event until it "
            + "acknowledges it.",
        HelpName = "NAME",
    };

    private readonly Option<bool> _ack = new("--ack")
    {
        Description = "Acknowledge what is printed. After a crash at most the newest events come again, and none is "
            + "missing.",
    };

    public TailCommand(Surroundings surroundings)
        : base("tail", "Print the events of a stream as they come, over lost connections too.", surroundings)
    {
        Add(_streams);
        Add(_after);
        Add(_types);
        Add(_json);
        Add(_subscriber);
        Add(_ack);
        Validators.Add(line =>
        {
            if (line.GetValue(_ack) && line.GetValue(_subscriber) is null)
                line.AddError("--ack needs --subscriber.");
            if (line.GetValue(_subscriber) is not null
                && (line.GetValue(_streams)!.AsSpan().ContainsAny(",*>") || line.GetValue(_types) is { Length: > 0 }))
                line.AddError("--subscriber takes one stream, and no --types.");
        });
    }

    protected override async Task<int> RunAsync(
        ParseResult parsed, EventsClient client, CancellationToken cancellationToken)
    {
        var names = Parts(parsed.GetValue(_streams)!);
        var manyStreams = names.Length > 1 || names[0].AsSpan().ContainsAny("*>");
        var form = new EventForm(Terminal, parsed.GetValue(_json), manyStreams);
        var news = new ConnectionNews(Terminal, Server(parsed));
        var (after, subscriber) = (parsed.GetValue(_after), parsed.GetValue(_subscriber));
        if (parsed.GetValue(_ack))
        {
            var subscribe = new SubscribeOptions { After = after, Manual = true };
            await AcknowledgedAsync(client.Subscribe(names[0], subscriber!, subscribe), form, news, cancellationToken);
            return 0;
        }
        var read = new ReadOptions { After = after, Types = parsed.GetValue(_types) ?? [], Subscriber = subscriber };
        var reader = names.Length == 1 ? client.ReadAsync(names[0], read) : client.ReadAsync(names, read);
        reader.StateChanged += news.Tell;
        await PrintAsync(reader.GetAsyncEnumerator(cancellationToken), form, news, static _ => { });
        return 0;
    }

    private async Task AcknowledgedAsync(
        SubscriberReader reader, EventForm form, ConnectionNews news, CancellationToken cancellationToken)
    {
        reader.StateChanged += news.Tell;
        try
        {
            var frames = reader.FramesAsync(cancellationToken).GetAsyncEnumerator(CancellationToken.None);
            await PrintAsync(frames, form, news, reader.Acknowledge);
        }
        finally
        {
            await reader.DisposeAsync();
            if (reader.Unacknowledged is > 0 and var left)
                Terminal.Say($"acknowledgements not stored: {left}; these events come again");
        }
    }

    private async Task PrintAsync(
        IAsyncEnumerator<StreamFrame> arriving, EventForm form, ConnectionNews news, Action<StreamEvent> printed)
    {
        var output = PipeWriter.Create(Terminal.Out, new StreamPipeWriterOptions(leaveOpen: true));
        var unflushed = new List<StreamEvent>();
        await using var frames = arriving;
        try
        {
            while (true)
            {
                var next = frames.MoveNextAsync();
                var waits = !next.IsCompleted;
                // What has arrived together goes out together; before a wait all of it is out.
                if (waits || output.UnflushedBytes > 64 * 1024)
                    await FlushAsync();
                // Heartbeats end a wait too, so a pipe whose reader has gone ends a quiet stream's tail as well.
                if (!await next || (waits && Terminal.IsClosed(1)))
                    break;
                if (frames.Current is EventFrame { Event: var arrived })
                {
                    form.Write(output, arrived);
                    unflushed.Add(arrived);
                }
                else
                    news.Tell(frames.Current);
            }
        }
        finally
        {
            await FlushAsync();
        }
        await output.CompleteAsync();

        async Task FlushAsync()
        {
            await output.FlushAsync(CancellationToken.None);
            // Into a pipe that nobody reads writing succeeds, and prints nothing.
            if (!Terminal.IsClosed(1))
                unflushed.ForEach(printed);
            unflushed.Clear();
        }
    }
}
