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
/// <param name="ViewNo">The number of the owner's view in this epoch.</param>
/// <param name="View">The view, if it has changed since the last push.</param>
/// <param name="Dense">The events in place of <paramref name="Events"/>, for a tap that reads this form.</param>
[GenerateSerializer, Immutable, Alias("OrleansEvents.TapPush")]
public sealed record TapPush(
    [property: Id(0)] ulong Epoch,
    [property: Id(1)] long Previous,
    [property: Id(2)] long Head,
    [property: Id(3)] PackedRun Events,
    [property: Id(4)] long ViewNo = 0,
    [property: Id(5)] StreamView? View = null,
    [property: Id(6)] DenseRun? Dense = null)
{
    /// <summary>The last word of an owner that leaves: the next one has to be asked.</summary>
    public static TapPush Leaving { get; } = new(0, 0, long.MaxValue, PackedRun.Empty);

    /// <summary>The events above a number; the caller disposes the run.</summary>
    public EventRun Above(long seq) => Dense?.Above(seq) ?? Events.Above(seq);
}

/// <summary>What a tap is told when it begins or renews.</summary>
/// <param name="Head">The stream's head; its epoch is 0 when there is no such stream.</param>
/// <param name="Lease">For how long the owner will push without another renewal.</param>
/// <param name="ViewNo">The number of the owner's view in the head's epoch.</param>
[GenerateSerializer, Immutable, Alias("OrleansEvents.TapLease")]
public sealed record TapLease(
    [property: Id(0)] Cursor Head,
    [property: Id(1)] TimeSpan Lease,
    [property: Id(2)] long ViewNo);
