using OrleansEvents.Streams;

namespace OrleansEvents.Grains.Interfaces;

/// <summary>What publishing answers.</summary>
/// <param name="Published">The range.</param>
/// <param name="Each">An entry for each event, when that was asked for.</param>
[GenerateSerializer, Immutable, Alias("OrleansEvents.PublishAnswer")]
public sealed record PublishAnswer([property: Id(0)] Published Published, [property: Id(1)] PublishedEvent[]? Each);

/// <summary>What reading answers.</summary>
/// <param name="Gap">What may be missing before the first event.</param>
/// <param name="Events">The events, oldest first.</param>
/// <param name="Cursor">Everything up to here has been looked at: the position of the next read.</param>
/// <param name="More">Whether a bound of the read ended it.</param>
[GenerateSerializer, Immutable, Alias("OrleansEvents.ReadPage")]
public sealed record ReadPage(
    [property: Id(0)] Gap? Gap,
    [property: Id(1)] PackedRun Events,
    [property: Id(2)] Cursor Cursor,
    [property: Id(3)] bool More);

/// <summary>What the owner knows of its stream.</summary>
/// <param name="Settings">As they are now.</param>
/// <param name="History">Its past.</param>
/// <param name="Head">The newest visible event.</param>
/// <param name="Floor">Everything above this number is in the buffer.</param>
/// <param name="Events">Events in the buffer.</param>
/// <param name="Bytes">Bytes of their frames.</param>
/// <param name="StoredEvents">Events in storage.</param>
/// <param name="StoredBytes">Bytes of their frames.</param>
/// <param name="Taps">Nodes that listen.</param>
/// <param name="Readers">Readers on those nodes, as of a few seconds ago.</param>
/// <param name="Subscribers">The names of its subscribers, in order.</param>
/// <param name="CreatedMs">When it was made, Unix milliseconds.</param>
/// <param name="Node">The node that owns it.</param>
[GenerateSerializer, Immutable, Alias("OrleansEvents.DescribedStream")]
public sealed record DescribedStream(
    [property: Id(0)] StreamSettings Settings,
    [property: Id(1)] StreamHistory History,
    [property: Id(2)] Cursor Head,
    [property: Id(3)] long Floor,
    [property: Id(4)] int Events,
    [property: Id(5)] long Bytes,
    [property: Id(6)] long StoredEvents,
    [property: Id(7)] long StoredBytes,
    [property: Id(8)] int Taps,
    [property: Id(9)] long CreatedMs,
    [property: Id(10)] int Readers,
    [property: Id(11)] string[] Subscribers,
    [property: Id(12)] string? Node = null);

/// <summary>What the owner has for a node's copy of its buffer.</summary>
/// <param name="Filling">How it goes on from the copy's position.</param>
/// <param name="After">Behind which number.</param>
/// <param name="Head">How far the copy is when it has the events.</param>
/// <param name="More">Whether there is more.</param>
/// <param name="Events">The events, oldest first.</param>
/// <param name="ViewNo">The number of the owner's view.</param>
/// <param name="View">The view.</param>
/// <param name="Dense">The events in place of <paramref name="Events"/>, for who reads this form.</param>
[GenerateSerializer, Immutable, Alias("OrleansEvents.FillPage")]
public sealed record FillPage(
    [property: Id(0)] ReplicaFilling Filling,
    [property: Id(1)] long After,
    [property: Id(2)] long Head,
    [property: Id(3)] bool More,
    [property: Id(4)] PackedRun Events,
    [property: Id(5)] long ViewNo,
    [property: Id(6)] StreamView View,
    [property: Id(7)] DenseRun? Dense = null)
{
    /// <summary>The events; the caller disposes the run.</summary>
    public EventRun All() => Dense?.Above(long.MinValue) ?? Events.Above(long.MinValue);
}
