using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using OrleansEvents.Client;

namespace OrleansEvents.Cli;

/// <summary><c>events subscriber set STREAM NAME</c></summary>
internal sealed class SubscriberSetCommand : ServerCommand
{
    private readonly SubscriberArguments _subscriber = new();

    private readonly Option<TimeSpan?> _ackWait = Seconds(
        "--ack-wait", "How long a delivered event may stay without acknowledgement before it is delivered again.");

    private readonly Option<int?> _maxAttempts = Number(
        "--max-attempts", "How often an event is delivered before it is parked.");

    private readonly Option<TimeSpan[]> _backoff = new("--backoff")
    {
        Description = "The waits before the second delivery, the third and so on; the last one repeats.",
        HelpName = "SECONDS,…",
        CustomParser = result => [.. Parts(result).Select(part => SecondsOf(part, "--backoff", result) ?? default)],
    };

    private readonly Option<int?> _maxInFlight = Number(
        "--max-in-flight", "How many delivered events may be without acknowledgement.");

    private readonly Option<SubscriberMode?> _mode = new("--mode")
    {
        Description = "Whether each of its connections gets an event, or one of them.",
    };

    private readonly Option<OwedEvents?> _owed = new("--owed") { Description = "Which events it is owed." };

    private readonly Option<string?> _from = new("--from")
    {
        Description = "Where a new subscriber begins: all that is retained, new events only, or behind a cursor.",
        HelpName = "all|new|CURSOR",
    };

    private readonly Option<string[]> _types = TypesOption();

    private readonly Option<SubscriberOverflow?> _overflow = new("--overflow")
    {
        Description = "Beyond --max-pending and --max-age: park the oldest, or refuse publishers of critical events.",
    };

    private readonly Option<int?> _maxPending = Number("--max-pending", "How many events it may be owed.");

    private readonly Option<TimeSpan?> _maxAge = Seconds("--max-age", "How long an event may be owed.");

    public SubscriberSetCommand(Surroundings surroundings)
        : base(
            "set", "Register a subscriber, or change what is given; prints how it is set then, as JSON.", surroundings)
    {
        _subscriber.AddTo(this);
        Add(_ackWait);
        Add(_maxAttempts);
        Add(_backoff);
        Add(_maxInFlight);
        Add(_mode);
        Add(_owed);
        Add(_from);
        Add(_types);
        Add(_overflow);
        Add(_maxPending);
        Add(_maxAge);
    }

    protected override async Task<int> RunAsync(
        ParseResult parsed, EventsClient client, CancellationToken cancellationToken)
    {
        var policy = new SubscriberPolicy
        {
            AckWait = parsed.GetValue(_ackWait),
            MaxAttempts = parsed.GetValue(_maxAttempts),
            Backoff = parsed.GetResult(_backoff) is null ? null : parsed.GetValue(_backoff),
            MaxInFlight = parsed.GetValue(_maxInFlight),
            Mode = parsed.GetValue(_mode),
            Owed = parsed.GetValue(_owed),
            From = parsed.GetValue(_from),
            Types = parsed.GetResult(_types) is null ? null : parsed.GetValue(_types),
            Overflow = parsed.GetValue(_overflow),
            MaxPending = parsed.GetValue(_maxPending),
            MaxAge = parsed.GetValue(_maxAge),
        };
        var set = await _subscriber.Of(parsed, client).ConfigureAsync(policy, cancellationToken);
        SubscriberOutput.Print(Terminal, set);
        return 0;
    }

    private static Option<int?> Number(string name, string description) =>
        new(name) { Description = description, HelpName = "NUMBER" };

    private static Option<TimeSpan?> Seconds(string name, string description) => new(name)
    {
        Description = description,
        HelpName = "SECONDS",
        CustomParser = result => SecondsOf(result.Tokens[0].Value, name, result),
    };

    private static TimeSpan? SecondsOf(string text, string name, ArgumentResult result)
    {
        if (double.TryParse(text, CultureInfo.InvariantCulture, out var seconds) && seconds is >= 0 and <= 1e9)
            return TimeSpan.FromSeconds(seconds);
        result.AddError($"{name} takes seconds.");
        return null;
    }
}
