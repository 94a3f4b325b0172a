namespace OrleansEvents.Streams;

/// <summary>
/// The port to the rows of subscribers that have an owner of their own, beside their stream's. Each opening takes a
/// higher epoch than all before, and every write names the epoch it belongs to and is refused with
/// <see cref="LogFencedException"/> when another has been taken since, or when the subscriber or its stream is gone.
/// Any failure of storage is <see cref="LogUnavailableException"/>: the write may or may not have happened. All members
/// may be called from any thread.
/// </summary>
public interface ISubscriberLog
{
    /// <summary>Takes the next epoch of a subscriber and returns what is stored of it; null when there is no such
    /// stream. A subscriber that is not there is made of <paramref name="create"/>, if that is given.</summary>
    /// <param name="stream">The stream's name.</param>
    /// <param name="name">The subscriber's name.</param>
    /// <param name="create">The first state; null: none is made.</param>
    /// <param name="nowMs">The time, Unix milliseconds: the epoch is not below it, so that one that is made again goes
    /// on behind the epochs of the one before.</param>
    Task<OpenedSubscriber?> OpenSubscriber(string stream, string name, SubscriberWrite? create, long nowMs);

    /// <summary>Saves its state, and in the same transaction parks copies of events for it and removes parked ones.
    /// Removing comes first; parking what is parked replaces it.</summary>
    Task SaveSubscriber(SubscriberHandle handle, SubscriberWrite write);

    /// <summary>Removes its state and all that is parked for it.</summary>
    Task RemoveSubscriber(SubscriberHandle handle);
}

/// <summary>A subscriber as opened by one owner: what every write names.</summary>
/// <param name="Stream">Its stream's number in the log.</param>
/// <param name="Name">Its name.</param>
/// <param name="Epoch">The opening that writes; 0: it is not there.</param>
public readonly record struct SubscriberHandle(long Stream, string Name, long Epoch);

/// <summary>What opening a subscriber returns.</summary>
/// <param name="Handle">What writes must name.</param>
/// <param name="Record">What is stored; null: the subscriber is not there.</param>
public sealed record OpenedSubscriber(SubscriberHandle Handle, SubscriberRecord? Record);
