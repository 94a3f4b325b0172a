using Orleans.Concurrency;
using OrleansEvents.Streams;

namespace OrleansEvents.Grains.Interfaces;

/// <summary>Which event streams grains follow by an Orleans stream, of those whose names fall on one queue of the
/// provider. Its key is <c>provider/queue</c>. Durable: followers outlive their silos.</summary>
[Alias("OrleansEvents.IFollowedStreams")]
public interface IFollowedStreams : IGrainWithStringKey
{
    /// <summary>Somebody follows the stream from now on. Refused with <c>RATE_LIMITED</c> when so many are followed
    /// that one more would be too many, and when the stream's owner cannot say where it is.</summary>
    [Alias("Follow"), ResponseTimeout("00:00:06")]
    Task<Outcome<bool>> Follow(string stream);

    /// <summary>All that are followed, as soon as that is not what was read before; null when it stays the same for a
    /// while.</summary>
    /// <param name="tag">The tag of what was read last; null for none.</param>
    [Alias("Read"), ResponseTimeout("00:00:05"), AlwaysInterleave]
    Task<FollowedList?> Read(string? tag);

    /// <summary>How far all followers of streams have come: who comes without a position begins there.</summary>
    [Alias("Passed"), ResponseTimeout("00:00:05")]
    Task Passed(Dictionary<string, Cursor> positions);

    /// <summary>Nobody follows the stream any more, unless somebody has come since.</summary>
    /// <param name="stream">Its name.</param>
    /// <param name="no">The number that it was read with.</param>
    [Alias("Leave"), ResponseTimeout("00:00:05")]
    Task Leave(string stream, long no);
}

/// <summary>Streams that are followed.</summary>
/// <param name="Streams">The streams.</param>
/// <param name="Tag">Changes with them.</param>
[GenerateSerializer, Immutable, Alias("OrleansEvents.FollowedList")]
public sealed record FollowedList([property: Id(0)] FollowedStream[] Streams, [property: Id(1)] string Tag);

/// <summary>A stream that is followed.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Since">Its head when it was followed first, or how far all followers have come since.</param>
/// <param name="No">Another one whenever somebody comes.</param>
[GenerateSerializer, Immutable, Alias("OrleansEvents.FollowedStream")]
public sealed record FollowedStream(
    [property: Id(0)] string Name,
    [property: Id(1)] Cursor Since,
    [property: Id(2)] long No);
