using System.Buffers;
using System.CommandLine;
using System.IO.Pipelines;
using System.Text;
using OrleansEvents.Client;

namespace OrleansEvents.Cli;

/// <summary><c>events subscriber set|show|list|pending|dead-letters|replay|purge|remove STREAM [NAME]</c></summary>
internal sealed class SubscriberCommand : Command
{
    public SubscriberCommand(Surroundings surroundings)
        : base("subscriber", "Set up, look at and remove the named subscribers of a stream.")
    {
        Add(new SubscriberSetCommand(surroundings));
        Add(new ListCommand(surroundings));
        Add(new OneCommand(
            "show", "Print how a subscriber is set and what it is owed, as JSON.", surroundings,
            async (asked, stop) => asked.Print(await asked.Subscriber.DescribeAsync(stop))));
        Add(new OneCommand(
            "pending", "Print what a subscriber is owed, oldest first.", surroundings,
            (asked, stop) => asked.PrintAsync(asked.Subscriber.PendingAsync(stop)), json: true));
        Add(new OneCommand(
            "dead-letters", "Print what was parked for a subscriber, oldest first.", surroundings,
            (asked, stop) => asked.PrintAsync(asked.Subscriber.DeadLettersAsync(stop)), json: true));
        Add(new OneCommand(
            "replay", "Put all dead letters of a subscriber back among what it is owed.", surroundings,
            async (asked, stop) => asked.Say("put back", await asked.Subscriber.ReplayAsync(cancellationToken: stop))));
        Add(new OneCommand(
            "purge", "Remove all dead letters of a subscriber for good.", surroundings,
            async (asked, stop) => asked.Say("removed", await asked.Subscriber.PurgeAsync(stop))));
        Add(new OneCommand(
            "remove", "Remove a subscriber; no read registers it again for an hour.", surroundings,
            (asked, stop) => asked.Subscriber.RemoveAsync(stop)));
    }

    private sealed class ListCommand : ServerCommand
    {
        private readonly Argument<string> _stream = new("STREAM") { Description = "The stream." };

        public ListCommand(Surroundings surroundings)
            : base("list", "Print the subscribers of a stream, each a line of JSON.", surroundings) => Add(_stream);

        protected override async Task<int> RunAsync(
            ParseResult parsed, EventsClient client, CancellationToken cancellationToken)
        {
            foreach (var each in await client.SubscribersAsync(parsed.GetValue(_stream)!, cancellationToken))
                SubscriberOutput.Print(Terminal, each);
            return 0;
        }
    }

    /// <summary>A command about one subscriber.</summary>
    private sealed class OneCommand : ServerCommand
    {
        private readonly SubscriberArguments _subscriber = new();
        private readonly Option<bool> _json = new("--json") { Description = "Print each as the server sent it." };
        private readonly Func<SubscriberOutput, CancellationToken, Task> _ask;

        public OneCommand(
            string name, string description, Surroundings surroundings,
            Func<SubscriberOutput, CancellationToken, Task> ask, bool json = false)
            : base(name, description, surroundings)
        {
            _ask = ask;
            _subscriber.AddTo(this);
            if (json)
                Add(_json);
        }

        protected override async Task<int> RunAsync(
            ParseResult parsed, EventsClient client, CancellationToken cancellationToken)
        {
            var output = new SubscriberOutput(_subscriber.Of(parsed, client), Terminal, parsed.GetValue(_json));
            await _ask(output, cancellationToken);
            return 0;
        }
    }
}

/// <summary>The two arguments that name a subscriber.</summary>
internal sealed class SubscriberArguments
{
    private readonly Argument<string> _stream = new("STREAM") { Description = "The stream." };
    private readonly Argument<string> _name = new("NAME") { Description = "The subscriber." };

    public void AddTo(Command command)
    {
        command.Add(_stream);
        command.Add(_name);
    }

    public Subscriber Of(ParseResult parsed, EventsClient client) =>
        client.Subscriber(parsed.GetValue(_stream)!, parsed.GetValue(_name)!);
}

/// <summary>A subscriber, and where what the server says of it goes.</summary>
internal sealed record SubscriberOutput(Subscriber Subscriber, Terminal Terminal, bool Json)
{
    public static void Print(Terminal terminal, SubscriberDescription described) =>
        terminal.Out.Write(Encoding.UTF8.GetBytes(described.Json.GetRawText() + "\n"));

    public void Print(SubscriberDescription described) => Print(Terminal, described);

    public void Say(string done, long count) => Terminal.Say($"dead letters {done}: {count}");

    /// <summary>Each as <c>tail</c> prints it; a person also sees what came of its deliveries.</summary>
    public async Task PrintAsync(IAsyncEnumerable<OwedEvent> events)
    {
        var output = PipeWriter.Create(Terminal.Out, new StreamPipeWriterOptions(leaveOpen: true));
        var form = new EventForm(Terminal, Json, manyStreams: false);
        await foreach (var owed in events)
        {
            form.Write(output, owed.Event);
            if (!Json && Terminal.OutIsTerminal)
            {
                foreach (var failed in owed.History)
                    output.Write(Encoding.UTF8.GetBytes(Line(failed)));
            }
            await output.FlushAsync();
        }
        await output.CompleteAsync();
    }

    private static string Line(FailedDelivery failed) =>
        $"    {failed.Time?.ToLocalTime():HH:mm:ss.fff} {Visible.Text(failed.Reason)}\n";
}
