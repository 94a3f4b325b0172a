using OrleansEvents.Streams;

namespace OrleansEvents.Grains.Interfaces;

[GenerateSerializer, Immutable, Alias("OrleansEvents.EpochRecord")]
internal readonly record struct EpochRecordSurrogate(
    [property: Id(0)] ulong Epoch,
    [property: Id(1)] long First,
    [property: Id(2)] long? End,
    [property: Id(3)] bool Graceful);

[GenerateSerializer, Immutable, Alias("OrleansEvents.BurntRange")]
internal readonly record struct BurntRange([property: Id(0)] long First, [property: Id(1)] long Last);

[GenerateSerializer, Immutable, Alias("OrleansEvents.StreamHistory")]
internal readonly record struct StreamHistorySurrogate(
    [property: Id(0)] string State,
    [property: Id(1)] EpochRecordSurrogate[] Epochs,
    [property: Id(2)] BurntRange[] Burnt,
    [property: Id(3)] long CountableFrom,
    [property: Id(4)] long? DurableSince,
    [property: Id(5)] long TrimmedThrough);

[RegisterConverter]
internal sealed class StreamHistoryConverter : IConverter<StreamHistory, StreamHistorySurrogate>
{
    public StreamHistory ConvertFromSurrogate(in StreamHistorySurrogate surrogate) => new()
    {
        State = Enum.Parse<StreamState>(surrogate.State),
        Epochs = Array.ConvertAll(surrogate.Epochs,
            each => new EpochRecord(each.Epoch, each.First, each.End, each.Graceful)),
        Burnt = Array.ConvertAll(surrogate.Burnt, each => (each.First, each.Last)),
        CountableFrom = surrogate.CountableFrom,
        DurableSince = surrogate.DurableSince,
        TrimmedThrough = surrogate.TrimmedThrough,
    };

    public StreamHistorySurrogate ConvertToSurrogate(in StreamHistory value) => new(
        value.State.ToString(),
        [.. value.Epochs.Select(each => new EpochRecordSurrogate(each.Epoch, each.First, each.End, each.Graceful))],
        [.. value.Burnt.Select(each => new BurntRange(each.First, each.Last))],
        value.CountableFrom, value.DurableSince, value.TrimmedThrough);
}

[GenerateSerializer, Immutable, Alias("OrleansEvents.StreamView")]
internal readonly record struct StreamViewSurrogate(
    [property: Id(0)] StreamHistory History,
    [property: Id(1)] int Buffer,
    [property: Id(2)] int BufferBytes,
    [property: Id(3)] TimeSpan? MaxAge);

[RegisterConverter]
internal sealed class StreamViewConverter : IConverter<StreamView, StreamViewSurrogate>
{
    public StreamView ConvertFromSurrogate(in StreamViewSurrogate surrogate) =>
        new(surrogate.History, surrogate.Buffer, surrogate.BufferBytes, surrogate.MaxAge);

    public StreamViewSurrogate ConvertToSurrogate(in StreamView value) =>
        new(value.History, value.Buffer, value.BufferBytes, value.MaxAge);
}

[GenerateSerializer, Immutable, Alias("OrleansEvents.ReplicaFilling")]
internal readonly record struct ReplicaFillingSurrogate([property: Id(0)] string Name);

[RegisterConverter]
internal sealed class ReplicaFillingConverter : IConverter<ReplicaFilling, ReplicaFillingSurrogate>
{
    public ReplicaFilling ConvertFromSurrogate(in ReplicaFillingSurrogate surrogate) =>
        Enum.Parse<ReplicaFilling>(surrogate.Name);

    public ReplicaFillingSurrogate ConvertToSurrogate(in ReplicaFilling value) => new(value.ToString());
}
