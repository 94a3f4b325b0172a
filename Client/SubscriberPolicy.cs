using System.Text.Json;

namespace OrleansEvents.Client;

/// <summary>Who of a subscriber's connections gets an event.</summary>
public enum SubscriberMode
{
    /// <summary>Each of them; the first acknowledgement counts for all.</summary>
    Broadcast,

    /// <summary>One of them.</summary>
    Compete,
}

/// <summary>Which events a subscriber is owed until it acknowledges them.</summary>
public enum OwedEvents
{
    /// <summary>Critical ones.</summary>
    Critical,

    /// <summary>Ordinary ones too, while the buffer holds them and for 30 seconds at most.</summary>
    All,
}

/// <summary>What happens when a subscriber is owed too much.</summary>
public enum SubscriberOverflow
{
    /// <summary>The oldest are parked as dead letters.</summary>
    Lapse,

    /// <summary>Publishers of critical events are refused (<c>BACKLOG_FULL</c>).</summary>
    Block,
}

/// <summary>Where the server sends a subscriber's events by itself.</summary>
/// <param name="Url">The address that events are posted to.</param>
public sealed record SubscriberWebhook(Uri Url)
{
    /// <summary>The key that requests are signed with. The server does not tell it again.</summary>
    public string? Secret { get; init; }

    /// <summary><c>event</c> or <c>cloudevents</c>; null is <c>event</c>.</summary>
    public string? Format { get; init; }

    /// <summary>How long an answer may take; null is 10 seconds.</summary>
    public TimeSpan? Timeout { get; init; }

    internal void Write(Utf8JsonWriter json)
    {
        json.WriteStartObject("webhook"u8);
        json.WriteString("url"u8, Url.OriginalString);
        if (Secret is { } secret)
            json.WriteString("secret"u8, secret);
        if (Format is { } format)
            json.WriteString("format"u8, format);
        if (Timeout is { } timeout)
            json.WriteNumber("timeout"u8, timeout.TotalSeconds);
        json.WriteEndObject();
    }

    internal static SubscriberWebhook? Read(JsonElement? json) =>
        json is { } webhook && Uri.TryCreate(webhook.Text("url"), UriKind.Absolute, out var url)
            ? new SubscriberWebhook(url)
            {
                Secret = webhook.Text("secret"),
                Format = webhook.Text("format"),
                Timeout = webhook.Seconds("timeout"),
            }
            : null;
}

/// <summary>
/// How a subscriber is delivered to. Null leaves a member as it is, or as the server has it for new subscribers.
/// </summary>
public sealed record SubscriberPolicy
{
    /// <summary>How long a delivered event may stay without acknowledgement before it is delivered again.</summary>
    public TimeSpan? AckWait { get; init; }

    /// <summary>How often an event is delivered before it is parked as a dead letter.</summary>
    public int? MaxAttempts { get; init; }

    /// <summary>The waits before the second delivery, the third, and so on; the last one repeats.</summary>
    public IReadOnlyList<TimeSpan>? Backoff { get; init; }

    /// <summary>How many delivered events may be without acknowledgement before no more are delivered.</summary>
    public int? MaxInFlight { get; init; }

    /// <summary>Who of the subscriber's connections gets an event.</summary>
    public SubscriberMode? Mode { get; init; }

    /// <summary>Which events it is owed.</summary>
    public OwedEvents? Owed { get; init; }

    /// <summary>
    /// Where a new subscriber begins: <c>all</c> that is retained, <c>new</c> events only, or behind a cursor.
    /// </summary>
    public string? From { get; init; }

    /// <summary>Only events of these types. Empty: all.</summary>
    public IReadOnlyList<string>? Types { get; init; }

    /// <summary>What happens beyond <see cref="MaxPending"/> and <see cref="MaxAge"/>.</summary>
    public SubscriberOverflow? Overflow { get; init; }

    /// <summary>How many events it may be owed.</summary>
    public int? MaxPending { get; init; }

    /// <summary>How long an event may be owed.</summary>
    public TimeSpan? MaxAge { get; init; }

    /// <summary>How long a subscriber that its first read has registered is kept without a connection.</summary>
    public TimeSpan? ExpireAfter { get; init; }

    /// <summary>Where the server sends its events by itself.</summary>
    public SubscriberWebhook? Webhook { get; init; }

    internal void Write(Utf8JsonWriter json)
    {
        Number(json, "ackWait", AckWait?.TotalSeconds);
        Number(json, "maxAttempts", MaxAttempts);
        if (Backoff is { } backoff)
        {
            json.WriteStartArray("backoff"u8);
            foreach (var wait in backoff)
                json.WriteNumberValue(wait.TotalSeconds);
            json.WriteEndArray();
        }
        Number(json, "maxInFlight", MaxInFlight);
        Text(json, "mode", Word(Mode));
        Text(json, "owed", Word(Owed));
        Text(json, "from", From);
        if (Types is { } types)
            json.WriteTexts("types", types);
        Text(json, "overflow", Word(Overflow));
        Number(json, "maxPending", MaxPending);
        Number(json, "maxAge", MaxAge?.TotalSeconds);
        Number(json, "expireAfter", ExpireAfter?.TotalSeconds);
        Webhook?.Write(json);
    }

    internal static SubscriberPolicy Read(JsonElement json) => new()
    {
        AckWait = json.Seconds("ackWait"),
        MaxAttempts = (int?)json.Number("maxAttempts"),
        Backoff = Listed(json, "backoff", each => TimeSpan.FromSeconds(each.GetDouble())),
        MaxInFlight = (int?)json.Number("maxInFlight"),
        Mode = Value<SubscriberMode>(json, "mode"),
        Owed = Value<OwedEvents>(json, "owed"),
        From = json.Text("from"),
        Types = Listed(json, "types", each => each.ToString()),
        Overflow = Value<SubscriberOverflow>(json, "overflow"),
        MaxPending = (int?)json.Number("maxPending"),
        MaxAge = json.Seconds("maxAge"),
        ExpireAfter = json.Seconds("expireAfter"),
        Webhook = SubscriberWebhook.Read(json.Member("webhook")),
    };

    private static List<T>? Listed<T>(JsonElement json, string name, Func<JsonElement, T> read) =>
        json.Member(name) is null ? null : [.. json.Elements(name).Select(read)];

    private static T? Value<T>(JsonElement json, string name) where T : struct, Enum =>
        Enum.TryParse<T>(json.Text(name), ignoreCase: true, out var value) ? value : null;

    private static string? Word<T>(T? value) where T : struct, Enum => value?.ToString().ToLowerInvariant();

    private static void Number(Utf8JsonWriter json, string name, double? number)
    {
        if (number is { } value)
            json.WriteNumber(name, value);
    }

    private static void Text(Utf8JsonWriter json, string name, string? text)
    {
        if (text is not null)
            json.WriteString(name, text);
    }
}
