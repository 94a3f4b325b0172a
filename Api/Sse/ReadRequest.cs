using System.Globalization;
using OrleansEvents.Api.Options;
using OrleansEvents.Streams;

namespace OrleansEvents.Api.Sse;

/// <summary>What a reader asks for: its query and headers, checked.</summary>
internal sealed record ReadRequest
{
    private const int MostTypes = 100;
    private const int MostLimit = 1000;
    private const double MostWait = 30;
    private const int MostClientLength = 200;

    /// <summary>A time is resumed early: events may have become visible a while after they were appended.</summary>
    private const long ResumeEarlyMs = 5000;

    /// <summary>One plain name, or names and patterns of a read over many.</summary>
    public required IReadOnlyList<StreamPattern> Patterns { get; init; }

    public required bool IsMany { get; init; }

    public IReadOnlyList<string>? Types { get; private init; }

    /// <summary>The types that are read: a subscriber's own in place of the request's; null: every type.</summary>
    public IReadOnlyList<string>? TypesFor(ISubscriberSession? subscriber) =>
        subscriber is null ? Types : subscriber.Policy.Types is { Count: > 0 } types ? types : null;

    public bool Names { get; private init; }

    public bool Raw { get; init; }

    public string? Subscriber { get; private init; }

    /// <summary>What the client calls itself, so that its reconnects can be counted.</summary>
    public string? Client { get; private init; }

    /// <summary>Whether the client answers pings.</summary>
    public bool AnswersPings { get; private init; }

    public TimeSpan? Heartbeat { get; private init; }

    public int Limit { get; private init; } = 100;

    public TimeSpan Wait { get; private init; }

    /// <summary>The position asked for; null: none.</summary>
    public string? After { get; private init; }

    /// <summary>Whether the position is a <c>Last-Event-ID</c>: never refused.</summary>
    public bool IsLastEventId { get; private init; }

    /// <summary>Where the single stream's line begins.</summary>
    public ReadFrom From { get; private init; }

    /// <summary>The position over many streams; null when there is none.</summary>
    public ManyCursor? Position { get; private init; }

    public bool HasWildcards => Patterns.Any(pattern => pattern.HasWildcard);

    /// <summary>The streams, for a log line.</summary>
    public string Names_ => string.Join(',', Patterns);

    /// <summary>When the server began, Unix milliseconds.</summary>
    public long BegunMs { get; private init; }

    /// <summary>The client's own position, when it must be kept until a gap has been told.</summary>
    public string? IdToRepeat => IsMany && Position is not null ? After : null;

    /// <summary>A stream that appears later is read from its beginning.</summary>
    public static ReadFrom FromOfAppeared => ReadFrom.Beginning;

    /// <summary>Reads the request; null with a refusal.</summary>
    public static ReadRequest? Parse(HttpContext http, IReadOnlyList<StreamPattern> patterns, bool isMany, bool raw,
        SseOptions options, long begunMs, out Refusal refusal)
    {
        var query = new QueryReader(http.Request.Query);
        var lastEventId = http.Request.Headers["Last-Event-ID"].ToString();
        var isLastEventId = lastEventId.Length > 0;
        var after = isLastEventId ? lastEventId : query.Text("after");
        var request = new ReadRequest
        {
            Patterns = patterns,
            IsMany = isMany,
            After = after,
            BegunMs = begunMs,
            IsLastEventId = isLastEventId,
            From = FromText(after, isLastEventId, isMany, query),
            Position = isMany ? PositionOf(after, isLastEventId, query) : null,
            Types = query.List("types", MostTypes),
            Names = query.Flag("names"),
            Raw = raw || query.Flag("raw"),
            Subscriber = query.Text("subscriber"),
            Client = query.Text("client"),
            AnswersPings = query.Flag("pong"),
            Heartbeat = query.Seconds("heartbeat", options.HeartbeatMin, options.HeartbeatMax),
            Limit = query.Integer("limit", 1, MostLimit) ?? 100,
            Wait = query.Seconds("wait", TimeSpan.Zero, TimeSpan.FromSeconds(MostWait)) ?? TimeSpan.Zero,
        };
        if (request.Subscriber is { } name)
        {
            if (StreamName.CheckSubscriber(name) is { } bad) query.Refuse(bad.Detail);
            if (request.Types is not null) query.Refuse("types: a subscriber's filter is its own");
            if (isMany) query.Refuse("subscriber: a subscriber reads one stream");
        }
        if (request.Client is { } client && (client.Length is 0 or > MostClientLength || client.Any(char.IsControl)))
            query.Refuse($"client: 1 to {MostClientLength} printable characters");
        refusal = query.Refusal ?? default;
        return query.Refusal is null ? request : null;
    }

    /// <summary>Where one stream of a read over many begins.</summary>
    public ReadFrom FromOf(string stream) =>
        Position is null ? From
        : Position.TimeMs is { } timeMs ? ReadFrom.Since(timeMs - ResumeEarlyMs, BegunMs, After)
        : Position.TryFind(stream, out var cursor) ? ReadFrom.After(cursor)
        : FromOfAppeared;

    private static ReadFrom FromText(string? after, bool isLastEventId, bool isMany, QueryReader query)
    {
        switch (after)
        {
            case null or "": return ReadFrom.Buffer;
            case "0": return ReadFrom.Beginning;
            case "$": return ReadFrom.Head;
        }
        if (!isMany && Cursor.TryParse(after, out var cursor)) return ReadFrom.After(cursor);
        if (isLastEventId) return ReadFrom.Unknown(after);
        if (!isMany) query.Refuse("after: not a cursor, 0 or $");
        return ReadFrom.Buffer;
    }

    private static ManyCursor? PositionOf(string? after, bool isLastEventId, QueryReader query)
    {
        if (after is null or "" or "0" or "$") return null;
        if (ManyCursor.TryParse(after, out var position)) return position;
        if (!isLastEventId) query.Refuse("after: not a position of a read over many streams, 0 or $");
        return null;
    }
}

/// <summary>Reads a query; the first thing that is wrong refuses it.</summary>
internal sealed class QueryReader(IQueryCollection query)
{
    public Refusal? Refusal { get; private set; }

    public void Refuse(string detail) => Refusal ??= new Refusal(ErrorCode.InvalidInput, detail);

    public string? Text(string name) => query.TryGetValue(name, out var values) ? values.ToString() : null;

    public bool Flag(string name)
    {
        switch (Text(name))
        {
            case null or "false" or "0": return false;
            case "true" or "1" or "": return true;
            default:
                Refuse($"{name}: true or false");
                return false;
        }
    }

    public int? Integer(string name, int least, int most)
    {
        if (Text(name) is not { } text) return null;
        if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            && number >= least && number <= most) return number;
        Refuse(string.Create(CultureInfo.InvariantCulture, $"{name}: an integer from {least} to {most}"));
        return null;
    }

    public TimeSpan? Seconds(string name, TimeSpan least, TimeSpan most)
    {
        if (Text(name) is not { } text) return null;
        if (double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var seconds)
            && seconds >= least.TotalSeconds && seconds <= most.TotalSeconds) return TimeSpan.FromSeconds(seconds);
        Refuse(string.Create(CultureInfo.InvariantCulture,
            $"{name}: seconds from {least.TotalSeconds} to {most.TotalSeconds}"));
        return null;
    }

    public IReadOnlyList<string>? List(string name, int most)
    {
        if (Text(name) is not { Length: > 0 } text) return null;
        var items = text.Split(',');
        if (items.Length <= most && items.All(item => item.Length is > 0 and <= 100)) return items;
        Refuse($"{name}: at most {most}, separated by commas");
        return null;
    }
}
