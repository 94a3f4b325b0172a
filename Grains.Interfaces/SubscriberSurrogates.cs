using OrleansEvents.Streams;

namespace OrleansEvents.Grains.Interfaces;

// How the values of a subscriber travel. Nothing here may be renumbered.

[GenerateSerializer, Immutable, Alias("OrleansEvents.SubscriberPolicy")]
internal readonly record struct SubscriberPolicySurrogate([property: Id(0)] ReadOnlyMemory<byte> Json);

[RegisterConverter]
internal sealed class SubscriberPolicyConverter : IConverter<SubscriberPolicy, SubscriberPolicySurrogate>
{
    public SubscriberPolicy ConvertFromSurrogate(in SubscriberPolicySurrogate surrogate) =>
        SubscriberPolicy.Default.TryApply(surrogate.Json, out var policy, out var bad)
            ? policy : throw new FormatException(bad.Detail);

    public SubscriberPolicySurrogate ConvertToSurrogate(in SubscriberPolicy value) => new(value.ToJson());
}

[GenerateSerializer, Immutable, Alias("OrleansEvents.SubscriberDescription")]
internal readonly record struct SubscriberDescriptionSurrogate(
    [property: Id(0)] string Name,
    [property: Id(1)] SubscriberPolicy Policy,
    [property: Id(2)] bool IsExplicit,
    [property: Id(3)] Cursor Acknowledged,
    [property: Id(4)] int Pending,
    [property: Id(5)] int InFlight,
    [property: Id(6)] int Retrying,
    [property: Id(7)] int DeadLetters,
    [property: Id(8)] ExpiredRange? Expired,
    [property: Id(9)] SubscriberCounts Counts,
    [property: Id(10)] int Connections,
    [property: Id(11)] long CreatedMs,
    [property: Id(12)] long LastSeenMs,
    [property: Id(13)] string? Disabled);

[RegisterConverter]
internal sealed class SubscriberDescriptionConverter
    : IConverter<SubscriberDescription, SubscriberDescriptionSurrogate>
{
    public SubscriberDescription ConvertFromSurrogate(in SubscriberDescriptionSurrogate surrogate) => new(
        surrogate.Name, surrogate.Policy, surrogate.IsExplicit, surrogate.Acknowledged, surrogate.Pending,
        surrogate.InFlight, surrogate.Retrying, surrogate.DeadLetters, surrogate.Expired, surrogate.Counts,
        surrogate.Connections, surrogate.CreatedMs, surrogate.LastSeenMs, surrogate.Disabled);

    public SubscriberDescriptionSurrogate ConvertToSurrogate(in SubscriberDescription value) => new(
        value.Name, value.Policy, value.IsExplicit, value.Acknowledged, value.Pending, value.InFlight, value.Retrying,
        value.DeadLetters, value.Expired, value.Counts, value.Connections, value.CreatedMs, value.LastSeenMs,
        value.Disabled);
}

[GenerateSerializer, Immutable, Alias("OrleansEvents.ConfiguredSubscriber")]
internal readonly record struct ConfiguredSubscriberSurrogate(
    [property: Id(0)] SubscriberDescription Subscriber,
    [property: Id(1)] bool Created);

[RegisterConverter]
internal sealed class ConfiguredSubscriberConverter : IConverter<ConfiguredSubscriber, ConfiguredSubscriberSurrogate>
{
    public ConfiguredSubscriber ConvertFromSurrogate(in ConfiguredSubscriberSurrogate surrogate) =>
        new(surrogate.Subscriber, surrogate.Created);

    public ConfiguredSubscriberSurrogate ConvertToSurrogate(in ConfiguredSubscriber value) =>
        new(value.Subscriber, value.Created);
}

[GenerateSerializer, Immutable, Alias("OrleansEvents.ExpiredRange")]
internal readonly record struct ExpiredRangeSurrogate(
    [property: Id(0)] long First,
    [property: Id(1)] long Last,
    [property: Id(2)] long Count);

[RegisterConverter]
internal sealed class ExpiredRangeConverter : IConverter<ExpiredRange, ExpiredRangeSurrogate>
{
    public ExpiredRange ConvertFromSurrogate(in ExpiredRangeSurrogate surrogate) =>
        new(surrogate.First, surrogate.Last, surrogate.Count);

    public ExpiredRangeSurrogate ConvertToSurrogate(in ExpiredRange value) =>
        new(value.First, value.Last, value.Count);
}

[GenerateSerializer, Immutable, Alias("OrleansEvents.SubscriberCounts")]
internal readonly record struct SubscriberCountsSurrogate(
    [property: Id(0)] long Queued,
    [property: Id(1)] long Retried,
    [property: Id(2)] long Succeeded,
    [property: Id(3)] long Abandoned);

[RegisterConverter]
internal sealed class SubscriberCountsConverter : IConverter<SubscriberCounts, SubscriberCountsSurrogate>
{
    public SubscriberCounts ConvertFromSurrogate(in SubscriberCountsSurrogate surrogate) =>
        new(surrogate.Queued, surrogate.Retried, surrogate.Succeeded, surrogate.Abandoned);

    public SubscriberCountsSurrogate ConvertToSurrogate(in SubscriberCounts value) =>
        new(value.Queued, value.Retried, value.Succeeded, value.Abandoned);
}

[GenerateSerializer, Immutable, Alias("OrleansEvents.PendingEvent")]
internal readonly record struct PendingEventSurrogate(
    [property: Id(0)] long Seq,
    [property: Id(1)] int Attempts,
    [property: Id(2)] long? NextRetryMs,
    [property: Id(3)] PastFailure[] History);

[RegisterConverter]
internal sealed class PendingEventConverter : IConverter<PendingEvent, PendingEventSurrogate>
{
    public PendingEvent ConvertFromSurrogate(in PendingEventSurrogate surrogate) =>
        new(surrogate.Seq, surrogate.Attempts, surrogate.NextRetryMs, surrogate.History ?? []);

    public PendingEventSurrogate ConvertToSurrogate(in PendingEvent value) =>
        new(value.Seq, value.Attempts, value.NextRetryMs, [.. value.History ?? []]);
}

[GenerateSerializer, Immutable, Alias("OrleansEvents.PastFailure")]
internal readonly record struct PastFailureSurrogate([property: Id(0)] long Ms, [property: Id(1)] string Reason);

[RegisterConverter]
internal sealed class PastFailureConverter : IConverter<PastFailure, PastFailureSurrogate>
{
    public PastFailure ConvertFromSurrogate(in PastFailureSurrogate surrogate) => new(surrogate.Ms, surrogate.Reason);

    public PastFailureSurrogate ConvertToSurrogate(in PastFailure value) => new(value.Ms, value.Reason);
}

[GenerateSerializer, Immutable, Alias("OrleansEvents.PushFailing")]
internal readonly record struct PushFailingSurrogate([property: Id(0)] long SinceMs, [property: Id(1)] long LastMs);

[RegisterConverter]
internal sealed class PushFailingConverter : IConverter<PushFailing, PushFailingSurrogate>
{
    public PushFailing ConvertFromSurrogate(in PushFailingSurrogate surrogate) =>
        new(surrogate.SinceMs, surrogate.LastMs);

    public PushFailingSurrogate ConvertToSurrogate(in PushFailing value) => new(value.SinceMs, value.LastMs);
}

[GenerateSerializer, Immutable, Alias("OrleansEvents.Acknowledged")]
internal readonly record struct AcknowledgedSurrogate([property: Id(0)] string Id, [property: Id(1)] string Result);

[RegisterConverter]
internal sealed class AcknowledgedConverter : IConverter<Acknowledged, AcknowledgedSurrogate>
{
    public Acknowledged ConvertFromSurrogate(in AcknowledgedSurrogate surrogate) =>
        new(surrogate.Id, Enum.Parse<AckResult>(surrogate.Result));

    public AcknowledgedSurrogate ConvertToSurrogate(in Acknowledged value) => new(value.Id, value.Result.ToString());
}

[GenerateSerializer, Immutable, Alias("OrleansEvents.NotAcknowledged")]
internal readonly record struct NotAcknowledgedSurrogate([property: Id(0)] string Id, [property: Id(1)] string Result);

[RegisterConverter]
internal sealed class NotAcknowledgedConverter : IConverter<NotAcknowledged, NotAcknowledgedSurrogate>
{
    public NotAcknowledged ConvertFromSurrogate(in NotAcknowledgedSurrogate surrogate) =>
        new(surrogate.Id, Enum.Parse<NackResult>(surrogate.Result));

    public NotAcknowledgedSurrogate ConvertToSurrogate(in NotAcknowledged value) =>
        new(value.Id, value.Result.ToString());
}
