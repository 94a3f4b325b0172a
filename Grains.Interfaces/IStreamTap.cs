using OrleansEvents.Streams;

namespace OrleansEvents.Grains.Interfaces;

/// <summary>One node's ear on one stream: the owner pushes to it what becomes visible, one push at a time.</summary>
[Alias("OrleansEvents.IStreamTap")]
public interface IStreamTap : IGrainObserver
{
    /// <summary>Takes a run. The limit bounds how long a stalled node occupies its one push.</summary>
    [Alias("Push"), ResponseTimeout("00:00:05")]
    Task Push(TapPush push);
}

/// <summary>What became visible in the stream since the push before.</summary>
/// <param name="Epoch">The owner's epoch.</param>
/// <param name="Previous">The head that the owner's last push brought the tap to. A tap that is not there has missed
/// something, and reads on from its own position.</param>
/// <param name="Head">The head that this push brings it to.</param>
/// <param name="Events">The events between the two. None when the tap had fallen behind the owner's buffer.</param>
[GenerateSerializer, Immutable, Alias("OrleansEvents.TapPush")]
public sealed record TapPush(
    [property: Id(0)] ulong Epoch,
    [property: Id(1)] long Previous,
    [property: Id(2)] long Head,
    [property: Id(3)] PackedRun Events);

/// <summary>What a tap is told when it begins or renews.</summary>
/// <param name="Head">The stream's head; its epoch is 0 when there is no such stream.</param>
/// <param name="Lease">For how long the owner will push without another renewal.</param>
[GenerateSerializer, Immutable, Alias("OrleansEvents.TapLease")]
public sealed record TapLease([property: Id(0)] Cursor Head, [property: Id(1)] TimeSpan Lease);
