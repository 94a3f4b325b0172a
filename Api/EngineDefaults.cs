using System.Text;
using OrleansEvents.Api.Options;
using OrleansEvents.Streams;

namespace OrleansEvents.Api;

/// <summary>The server's settings as an engine takes them.</summary>
internal static class EngineDefaults
{
    /// <summary>A stream's settings, until it is told otherwise.</summary>
    public static StreamSettings Of(StreamsOptions options) => StreamSettings.Default with
    {
        Buffer = options.Buffer,
        BufferBytes = options.BufferBytes,
        MaxAge = options.MaxAge,
        Durable = options.Durable,
        Retention = new() { Count = options.Retention.Count, Bytes = options.Retention.Bytes,
            Age = options.Retention.Age },
        Critical = RulesOf(options.Critical),
        Backlog = options.Backlog,
        DedupeWindow = options.DedupeWindow,
        IdleAfter = options.IdleAfter,
    };

    /// <summary>A subscriber's policy, until it is told otherwise.</summary>
    public static SubscriberPolicy Of(SubscribersOptions options) => SubscriberPolicy.Default with
    {
        AckWait = options.AckWait,
        MaxAttempts = options.MaxAttempts,
        Backoff = options.Backoff,
        MaxInFlight = options.MaxInFlight,
        MaxPending = options.MaxPending,
        MaxAge = options.MaxAge,
        ExpireAfter = options.ExpireAfter,
    };

    /// <summary>The bounds of a stream.</summary>
    public static StreamLimits LimitsOf(ServerOptions options) => new(options.Limits.KeysPerStream,
        VoidAfter: options.Operations.VoidAfter,
        // Behind the publisher's own limit, so that it is that which passes.
        CommitLimit: options.Operations.Timeout + options.Operations.VoidAfter);

    /// <summary>The bounds of a subscriber.</summary>
    public static SubscriptionLimits LimitsOf(SubscribersOptions options) =>
        new(options.DeadLetters, options.DeadLetterAge, options.OrdinaryAge);

    private static CriticalRules RulesOf(IReadOnlyList<CriticalRule> rules) =>
        CriticalRules.TryParse(Encoding.UTF8.GetBytes($"[{string.Join(',', rules)}]"), out var parsed, out var refusal)
            ? parsed
            : throw new StartRefusedException($"Streams:Critical: {refusal.Detail}");
}
