using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Text.Json;

namespace OrleansEvents.Streams;

/// <summary>How a subscriber's connections share its events.</summary>
public enum SubscriberMode
{
    /// <summary>Each connection gets each event; the first acknowledgement clears it.</summary>
    Broadcast,

    /// <summary>Each event goes to one of them.</summary>
    Compete,
}

/// <summary>What happens when a subscriber is owed too much.</summary>
public enum OverflowRule
{
    /// <summary>The oldest is parked.</summary>
    Lapse,

    /// <summary>Publishers of critical events are refused with <c>BACKLOG_FULL</c>.</summary>
    Block,
}

/// <summary>From where a new subscriber is owed.</summary>
public enum OwedFrom
{
    /// <summary>All that is retained.</summary>
    All,

    /// <summary>What comes after its registration.</summary>
    New,

    /// <summary>What lies behind a cursor.</summary>
    Cursor,
}

/// <summary>A subscriber's policy, section 5 of the contract. Immutable; every bound is checked when it is read from
/// JSON, and what is out of bounds is INVALID_INPUT.</summary>
public sealed record SubscriberPolicy
{
    /// <summary>The most of <see cref="MaxAttempts"/>.</summary>
    public const int MostAttempts = 100;

    /// <summary>The most steps of <see cref="Backoff"/>.</summary>
    public const int MostBackoffs = 32;

    /// <summary>The most of <see cref="MaxInFlight"/>.</summary>
    public const int MostInFlight = 100_000;

    /// <summary>The most of <see cref="MaxPending"/>.</summary>
    public const int MostPending = 1_000_000;

    /// <summary>The most <see cref="Types"/>.</summary>
    public const int MostTypes = 100;

    /// <summary>The longest <see cref="AckWait"/> and back-off: a day.</summary>
    public static readonly TimeSpan MaxWait = TimeSpan.FromDays(1);

    /// <summary>What a subscriber has until it is told otherwise.</summary>
    public static SubscriberPolicy Default { get; } = new();

    /// <summary>How long after its delivery an event is delivered again unless acknowledged. 1 ms to a day.</summary>
    public TimeSpan AckWait { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Deliveries after which an event is parked. 1 to 100.</summary>
    public int MaxAttempts { get; init; } = 4;

    /// <summary>Waits before the second, third, … delivery; the last repeats. 1 to 32 of 1 ms to a day.</summary>
    public IReadOnlyList<TimeSpan> Backoff { get; init; } =
        [TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(2), TimeSpan.FromSeconds(4), TimeSpan.FromSeconds(8)];

    /// <summary>Events delivered and neither acknowledged nor given up, retries included. 1 to 100,000.</summary>
    public int MaxInFlight { get; init; } = 1000;

    /// <summary>How its connections share.</summary>
    public SubscriberMode Mode { get; init; }

    /// <summary>Whether ordinary events are owed too.</summary>
    public bool OwesAll { get; init; }

    /// <summary>From where it is owed; has effect when it is registered.</summary>
    public OwedFrom From { get; init; }

    /// <summary>The cursor of <see cref="OwedFrom.Cursor"/>.</summary>
    public Cursor FromCursor { get; init; }

    /// <summary>Types that it wants; empty: all.</summary>
    public IReadOnlyList<string> Types { get; init; } = [];

    /// <summary>What happens beyond <see cref="MaxPending"/>.</summary>
    public OverflowRule Overflow { get; init; }

    /// <summary>Events owed at most. 1 to 1,000,000.</summary>
    public int MaxPending { get; init; } = 10_000;

    /// <summary>How old an owed event may become before it is parked. 1 ms to ten years.</summary>
    public TimeSpan MaxAge { get; init; } = TimeSpan.FromDays(7);

    /// <summary>A subscriber that registered by reading is forgotten after so long without a connection. 1 ms to ten
    /// years.</summary>
    public TimeSpan ExpireAfter { get; init; } = TimeSpan.FromDays(1);

    /// <summary>Where its events are pushed; null: it reads.</summary>
    public WebhookPolicy? Webhook { get; init; }

    /// <summary>Whether events of a kind can be owed at all.</summary>
    public bool MayOwe(bool critical) => critical || OwesAll;

    /// <summary>The number behind which a new subscriber is owed. What storage has let go of is not: where the buffer
    /// still has it, it is read as by anybody.</summary>
    /// <param name="head">The stream's head.</param>
    /// <param name="trimmedThrough">Up to where storage was trimmed.</param>
    /// <param name="epochs">The epochs that the stream remembers.</param>
    public long OwedAfter(long head, long trimmedThrough, IEnumerable<ulong> epochs)
    {
        var after = From switch
        {
            OwedFrom.New => head,
            OwedFrom.Cursor when epochs.Contains(FromCursor.Epoch) => Math.Min(head, FromCursor.Seq),
            _ => 0,
        };
        return Math.Max(after, trimmedThrough);
    }

    /// <summary>The wait after a number of deliveries, 1 at least.</summary>
    public TimeSpan BackoffAfter(int attempts) => Backoff[Math.Min(attempts, Backoff.Count) - 1];

    /// <summary>This policy with the members of a JSON object in place of its own, <c>webhook</c> member by
    /// member.</summary>
    public bool TryApply(ReadOnlyMemory<byte> json, [NotNullWhen(true)] out SubscriberPolicy? changed,
        out Refusal refusal)
    {
        changed = new SubscriberPolicyReader(this).Read(json, out var problem);
        refusal = changed is null ? new Refusal(ErrorCode.InvalidInput, problem!) : default;
        return changed is not null;
    }

    /// <summary>Writes the policy as one JSON object, in the contract's order.</summary>
    /// <param name="json">The writer.</param>
    /// <param name="withSecret">Whether the webhook's secret is written, or only that there is one.</param>
    public void WriteTo(Utf8JsonWriter json, bool withSecret)
    {
        json.WriteStartObject();
        StreamSettings.WriteSeconds(json, "ackWait", AckWait);
        json.WriteNumber("maxAttempts", MaxAttempts);
        json.WriteStartArray("backoff");
        foreach (var wait in Backoff) json.WriteNumberValue((decimal)wait.Ticks / TimeSpan.TicksPerSecond);
        json.WriteEndArray();
        json.WriteNumber("maxInFlight", MaxInFlight);
        json.WriteString("mode", Mode == SubscriberMode.Compete ? "compete" : "broadcast");
        json.WriteString("owed", OwesAll ? "all" : "critical");
        json.WriteString("from", From switch
        {
            OwedFrom.All => "all",
            OwedFrom.New => "new",
            _ => FromCursor.ToString(),
        });
        json.WriteStartArray("types");
        foreach (var type in Types) json.WriteStringValue(type);
        json.WriteEndArray();
        json.WriteString("overflow", Overflow == OverflowRule.Block ? "block" : "lapse");
        json.WriteNumber("maxPending", MaxPending);
        StreamSettings.WriteSeconds(json, "maxAge", MaxAge);
        StreamSettings.WriteSeconds(json, "expireAfter", ExpireAfter);
        json.WritePropertyName("webhook");
        if (Webhook is { } webhook) webhook.WriteTo(json, withSecret);
        else json.WriteNullValue();
        json.WriteEndObject();
    }

    /// <summary>The policy as it is stored.</summary>
    public ReadOnlyMemory<byte> ToJson()
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer)) WriteTo(json, withSecret: true);
        return buffer.WrittenMemory;
    }
}

/// <summary>Where and how a subscriber's events are pushed.</summary>
public sealed record WebhookPolicy
{
    /// <summary>Characters of <see cref="Url"/> at most.</summary>
    public const int MaxUrl = 2048;

    /// <summary>Characters of <see cref="Secret"/> at most.</summary>
    public const int MaxSecret = 512;

    /// <summary>The longest <see cref="Timeout"/>: five minutes.</summary>
    public static readonly TimeSpan MaxTimeout = TimeSpan.FromMinutes(5);

    /// <summary>An absolute http or https address.</summary>
    public string Url { get; init; } = "";

    /// <summary>What requests are signed with, <c>whsec_</c> and base64 as Standard Webhooks has it.</summary>
    public string Secret { get; init; } = "";

    /// <summary>Whether the body is a CloudEvent in structured mode rather than the event's own JSON.</summary>
    public bool AsCloudEvent { get; init; }

    /// <summary>How long one request may take. 1 ms to five minutes.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(10);

    internal void WriteTo(Utf8JsonWriter json, bool withSecret)
    {
        json.WriteStartObject();
        json.WriteString("url", Url);
        if (withSecret) json.WriteString("secret", Secret);
        json.WriteString("format", AsCloudEvent ? "cloudevents" : "event");
        StreamSettings.WriteSeconds(json, "timeout", Timeout);
        json.WriteEndObject();
    }
}
