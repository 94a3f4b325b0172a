namespace OrleansEvents.Api.Options;

/// <summary>Section <c>Subscribers</c>: the policy of a subscriber for which nobody has set another, and the bounds of
/// all.</summary>
internal sealed class SubscribersOptions
{
    [Setting("how long after its delivery an event is delivered again unless acknowledged",
        Unit = "seconds", Min = 0.001, Max = 86_400)]
    public TimeSpan AckWait { get; init; } = TimeSpan.FromSeconds(30);

    [Setting("deliveries after which an event is parked as a dead letter", Unit = "deliveries", Min = 1, Max = 100)]
    public int MaxAttempts { get; init; } = 4;

    [Setting("waits before the second, third, … delivery; the last repeats", Unit = "seconds", Min = 0.001,
        Max = 86_400)]
    public IReadOnlyList<TimeSpan> Backoff { get; init; } =
        [TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(2), TimeSpan.FromSeconds(4), TimeSpan.FromSeconds(8)];

    [Setting("events delivered and neither acknowledged nor given up, retries included; beyond, new ones wait",
        Unit = "events", Min = 1, Max = 100_000)]
    public int MaxInFlight { get; init; } = 1000;

    [Setting("events owed; beyond, the oldest are parked, or publishers of critical events refused (BACKLOG_FULL)",
        Unit = "events", Min = 1, Max = 1_000_000)]
    public int MaxPending { get; init; } = 10_000;

    [Setting("age of an owed event, after which it is parked", Unit = "seconds", Min = 0.001, Max = 315_360_000)]
    public TimeSpan MaxAge { get; init; } = TimeSpan.FromDays(7);

    [Setting("a subscriber that registered by reading is forgotten after so long without a connection",
        Unit = "seconds", Min = 0.001, Max = 315_360_000)]
    public TimeSpan ExpireAfter { get; init; } = TimeSpan.FromDays(1);

    [Setting("dead letters of a subscriber; beyond, the oldest become one listed range", Unit = "events", Min = 1,
        Max = 1_000_000)]
    public int DeadLetters { get; init; } = 10_000;

    [Setting("how long a dead letter is kept", Unit = "seconds", Min = 0.001, Max = 315_360_000)]
    public TimeSpan DeadLetterAge { get; init; } = TimeSpan.FromDays(7);

    [Setting("how long an ordinary event is owed to a subscriber that is owed all", Unit = "seconds", Min = 0.001,
        Max = 86_400)]
    public TimeSpan OrdinaryAge { get; init; } = TimeSpan.FromSeconds(30);
}
