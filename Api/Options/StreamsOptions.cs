namespace OrleansEvents.Api.Options;

/// <summary>Section <c>Streams</c>: the settings of a stream for which nobody has set others.</summary>
internal sealed class StreamsOptions
{
    [Setting("newest events kept in memory for replay", Unit = "events", Min = 1, Max = 10_000_000)]
    public int Buffer { get; init; } = 100;

    [Setting("bytes of the newest events kept in memory for replay", Unit = "bytes", Min = 4096, Max = 1_073_741_824)]
    public int BufferBytes { get; init; } = 1_048_576;

    [Setting("older events leave the buffer; null: never by age", Unit = "seconds", Min = 0.001, Max = 315_360_000)]
    public TimeSpan? MaxAge { get; init; }

    [Setting("every event is durable, not only critical ones")]
    public bool Durable { get; init; }

    [Setting("which events are critical: types, or {\"type\",\"where\":{member:[values]}}")]
    public IReadOnlyList<CriticalRule> Critical { get; init; } = CriticalRule.Defaults;

    [Setting("unacknowledged critical events of a stream; beyond it more are refused with BACKLOG_FULL",
        Unit = "events", Min = 1, Max = 1_000_000)]
    public int Backlog { get; init; } = 10_000;

    [Setting("how long a publisher's key is remembered", Unit = "seconds", Min = 0.001, Max = 86_400)]
    public TimeSpan DedupeWindow { get; init; } = TimeSpan.FromSeconds(120);

    [Setting("a stream that nobody uses for so long is unloaded, and comes back on demand",
        Unit = "seconds", Min = 0.001, Max = 315_360_000)]
    public TimeSpan IdleAfter { get; init; } = TimeSpan.FromSeconds(900);

    public RetentionOptions Retention { get; init; } = new();
}

/// <summary>Section <c>Streams:Retention</c>: how long durable events stay on storage.</summary>
internal sealed class RetentionOptions
{
    [Setting("durable events kept; null: not bounded by count", Unit = "events", Min = 1, Max = 1_000_000_000)]
    public long? Count { get; init; } = 10_000;

    [Setting("bytes of durable events kept; null: not bounded by size",
        Unit = "bytes", Min = 4096, Max = 1_125_899_906_842_624)]
    public long? Bytes { get; init; }

    [Setting("age of the oldest durable event; null: not bounded by age",
        Unit = "seconds", Min = 0.001, Max = 315_360_000)]
    public TimeSpan? Age { get; init; } = TimeSpan.FromDays(7);
}
