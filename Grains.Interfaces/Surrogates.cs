using OrleansEvents.Streams;
using ErrorCode = OrleansEvents.Streams.ErrorCode;

namespace OrleansEvents.Grains.Interfaces;

// How the values of Streams, which knows no package, travel. Nothing here may be renumbered: nodes of two versions
// talk to each other while a cluster is upgraded.

[GenerateSerializer, Immutable, Alias("OrleansEvents.Cursor")]
internal readonly record struct CursorSurrogate([property: Id(0)] ulong Epoch, [property: Id(1)] long Seq);

[RegisterConverter]
internal sealed class CursorConverter : IConverter<Cursor, CursorSurrogate>
{
    public Cursor ConvertFromSurrogate(in CursorSurrogate surrogate) => new(surrogate.Epoch, surrogate.Seq);

    public CursorSurrogate ConvertToSurrogate(in Cursor value) => new(value.Epoch, value.Seq);
}

[GenerateSerializer, Immutable, Alias("OrleansEvents.Refusal")]
internal readonly record struct RefusalSurrogate(
    [property: Id(0)] string Code,
    [property: Id(1)] string Detail,
    [property: Id(2)] TimeSpan? RetryAfter);

[RegisterConverter]
internal sealed class RefusalConverter : IConverter<Refusal, RefusalSurrogate>
{
    // By name: a code that is put between others must not change what the later ones mean.
    public Refusal ConvertFromSurrogate(in RefusalSurrogate surrogate) => new(
        Enum.TryParse<ErrorCode>(surrogate.Code, out var code) ? code : ErrorCode.ServerError, surrogate.Detail,
        surrogate.RetryAfter);

    public RefusalSurrogate ConvertToSurrogate(in Refusal value) =>
        new(value.Code.ToString(), value.Detail, value.RetryAfter);
}

[GenerateSerializer, Immutable, Alias("OrleansEvents.Outcome`1")]
internal readonly record struct OutcomeSurrogate<T>([property: Id(0)] T? Value, [property: Id(1)] Refusal? Refusal);

[RegisterConverter]
internal sealed class OutcomeConverter<T> : IConverter<Outcome<T>, OutcomeSurrogate<T>>
{
    public Outcome<T> ConvertFromSurrogate(in OutcomeSurrogate<T> surrogate) =>
        surrogate.Refusal is { } refusal ? refusal : Outcome.Of(surrogate.Value!);

    public OutcomeSurrogate<T> ConvertToSurrogate(in Outcome<T> value) => new(value.Value, value.Refusal);
}

[GenerateSerializer, Immutable, Alias("OrleansEvents.Published")]
internal readonly record struct PublishedSurrogate(
    [property: Id(0)] Cursor First,
    [property: Id(1)] Cursor Last,
    [property: Id(2)] int Count,
    [property: Id(3)] int Duplicates,
    [property: Id(4)] bool Durable);

[RegisterConverter]
internal sealed class PublishedConverter : IConverter<Published, PublishedSurrogate>
{
    public Published ConvertFromSurrogate(in PublishedSurrogate surrogate) =>
        new(surrogate.First, surrogate.Last, surrogate.Count, surrogate.Duplicates, surrogate.Durable);

    public PublishedSurrogate ConvertToSurrogate(in Published value) =>
        new(value.First, value.Last, value.Count, value.Duplicates, value.Durable);
}

[GenerateSerializer, Immutable, Alias("OrleansEvents.PublishedEvent")]
internal readonly record struct PublishedEventSurrogate([property: Id(0)] Cursor Id, [property: Id(1)] bool Duplicate);

[RegisterConverter]
internal sealed class PublishedEventConverter : IConverter<PublishedEvent, PublishedEventSurrogate>
{
    public PublishedEvent ConvertFromSurrogate(in PublishedEventSurrogate surrogate) =>
        new(surrogate.Id, surrogate.Duplicate);

    public PublishedEventSurrogate ConvertToSurrogate(in PublishedEvent value) => new(value.Id, value.Duplicate);
}

[GenerateSerializer, Immutable, Alias("OrleansEvents.ReadFrom")]
internal readonly record struct ReadFromSurrogate(
    [property: Id(0)] string Kind,
    [property: Id(1)] Cursor Cursor,
    [property: Id(2)] string? Text);

[RegisterConverter]
internal sealed class ReadFromConverter : IConverter<ReadFrom, ReadFromSurrogate>
{
    public ReadFrom ConvertFromSurrogate(in ReadFromSurrogate surrogate) =>
        new(Enum.Parse<ReadFromKind>(surrogate.Kind), surrogate.Cursor, surrogate.Text);

    public ReadFromSurrogate ConvertToSurrogate(in ReadFrom value) =>
        new(value.Kind.ToString(), value.Cursor, value.Text);
}

[GenerateSerializer, Immutable, Alias("OrleansEvents.Gap")]
internal readonly record struct GapSurrogate(
    [property: Id(0)] string? After,
    [property: Id(1)] Cursor ResumedAt,
    [property: Id(2)] long? Missed,
    [property: Id(3)] string Reason);

[RegisterConverter]
internal sealed class GapConverter : IConverter<Gap, GapSurrogate>
{
    public Gap ConvertFromSurrogate(in GapSurrogate surrogate) =>
        new(surrogate.After, surrogate.ResumedAt, surrogate.Missed, Enum.Parse<GapReason>(surrogate.Reason));

    public GapSurrogate ConvertToSurrogate(in Gap value) =>
        new(value.After, value.ResumedAt, value.Missed, value.Reason.ToString());
}

[GenerateSerializer, Immutable, Alias("OrleansEvents.StreamSettings")]
internal readonly record struct StreamSettingsSurrogate([property: Id(0)] string Json);

[RegisterConverter]
internal sealed class StreamSettingsConverter : IConverter<StreamSettings, StreamSettingsSurrogate>
{
    public StreamSettings ConvertFromSurrogate(in StreamSettingsSurrogate surrogate) =>
        StreamSettings.Parse(surrogate.Json);

    public StreamSettingsSurrogate ConvertToSurrogate(in StreamSettings value) => new(value.ToJson());
}

[GenerateSerializer, Immutable, Alias("OrleansEvents.ConfiguredStream")]
internal readonly record struct ConfiguredStreamSurrogate(
    [property: Id(0)] StreamSettings Settings,
    [property: Id(1)] bool Created);

[RegisterConverter]
internal sealed class ConfiguredStreamConverter : IConverter<ConfiguredStream, ConfiguredStreamSurrogate>
{
    public ConfiguredStream ConvertFromSurrogate(in ConfiguredStreamSurrogate surrogate) =>
        new(surrogate.Settings, surrogate.Created);

    public ConfiguredStreamSurrogate ConvertToSurrogate(in ConfiguredStream value) =>
        new(value.Settings, value.Created);
}
