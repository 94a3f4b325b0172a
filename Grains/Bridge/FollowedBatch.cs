using System.Text.Json;
using Orleans.Runtime;
using Orleans.Streams;
using OrleansEvents.Grains.Interfaces;
using OrleansEvents.Streams;

namespace OrleansEvents.Grains.Bridge;

/// <summary>What a follower is given at once: events as they lie in the ring, or word of a gap or of the end. Only what
/// is handed to the follower's own code is made an object.</summary>
[GenerateSerializer, Immutable, Alias("OrleansEvents.FollowedBatch")]
internal sealed record FollowedBatch(
    [property: Id(0)] StreamId StreamId,
    [property: Id(1)] EventPosition Position,
    [property: Id(2)] PackedRun Events,
    [property: Id(3)] Gap? Gap,
    [property: Id(4)] StreamState? Ended) : IBatchContainer
{
    public StreamSequenceToken SequenceToken => Position;

    public bool ImportRequestContext() => false;

    public IEnumerable<Tuple<T, StreamSequenceToken>> GetEvents<T>()
    {
        foreach (var item in Items())
            yield return Tuple.Create<T, StreamSequenceToken>(item is T wanted ? wanted
                : throw new InvalidCastException(
                    $"The items of event streams are {nameof(GrainEvent)}, not {typeof(T).Name}."), PositionOf(item));
    }

    private IEnumerable<GrainEvent> Items()
    {
        if (Gap is { } gap) yield return new GrainEvent("", default) { Id = gap.ResumedAt.ToString(), Gap = gap };
        using var run = Events.Above(0);
        for (var i = 0; i < run.Count; i++) yield return Read(run, i);
        if (Ended is { } ended) yield return new GrainEvent("", default) { Id = Position.Id, Ended = ended };
    }

    private EventPosition PositionOf(GrainEvent item) => item.IsEvent ? EventPosition.After(item.Id!) : Position;

    private static GrainEvent Read(EventRun run, int index)
    {
        ref readonly var slot = ref run.Slots[index];
        var frame = run.FrameOf(slot);
        var json = new Utf8JsonReader(frame[EventSlot.JsonStart..]);
        var (id, type, version, time, key) = ("", "", 1, default(DateTimeOffset), default(string));
        json.Read();
        while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
        {
            var name = json.GetString();
            json.Read();
            switch (name)
            {
                case "id": id = json.GetString()!; break;
                case "type": type = json.GetString()!; break;
                case "version": version = json.GetInt32(); break;
                case "time": time = json.GetDateTimeOffset(); break;
                case "key": key = json.GetString(); break;
                default: json.Skip(); break;
            }
        }
        return new GrainEvent(type, frame.Slice(slot.DataStart, slot.DataLength).ToArray(), version, slot.Critical, key,
            time)
        { Id = id, Seq = slot.Seq };
    }
}
