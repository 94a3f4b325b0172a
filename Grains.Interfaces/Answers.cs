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
/// <param name="Completed">Whether it has ended.</param>
/// <param name="Head">The newest visible event.</param>
/// <param name="Floor">Everything above this number is in the buffer.</param>
/// <param name="Events">Events in the buffer.</param>
/// <param name="Bytes">Bytes of their frames.</param>
/// <param name="StoredEvents">Events in storage.</param>
/// <param name="StoredBytes">Bytes of their frames.</param>
/// <param name="Taps">Nodes that listen.</param>
/// <param name="CreatedMs">When it was made, Unix milliseconds.</param>
[GenerateSerializer, Immutable, Alias("OrleansEvents.DescribedStream")]
public sealed record DescribedStream(
    [property: Id(0)] StreamSettings Settings,
    [property: Id(1)] bool Completed,
    [property: Id(2)] Cursor Head,
    [property: Id(3)] long Floor,
    [property: Id(4)] int Events,
    [property: Id(5)] long Bytes,
    [property: Id(6)] long StoredEvents,
    [property: Id(7)] long StoredBytes,
    [property: Id(8)] int Taps,
    [property: Id(9)] long CreatedMs);
