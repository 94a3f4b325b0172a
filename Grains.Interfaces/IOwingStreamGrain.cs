using OrleansEvents.Streams;

namespace OrleansEvents.Grains.Interfaces;

/// <summary>A stream's owner as its subscribers know it; its key is the stream's name.</summary>
[Alias("OrleansEvents.IOwingStreamGrain")]
public interface IOwingStreamGrain : IGrainWithStringKey
{
    /// <summary>Notes a subscriber, or how far it has come; nothing that it may yet be owed is trimmed from then on.
    /// The stream is created if <paramref name="create"/> says so; else refused with <c>NOT_FOUND</c>. Refused with
    /// <c>RATE_LIMITED</c> when there are too many. An earlier opening of the subscriber is not heard any
    /// more.</summary>
    [Alias("Report"), ResponseTimeout("00:00:05")]
    Task<Outcome<ReportAnswer>> Report(string name, SubscriberReport report, bool create);

    /// <summary>The subscriber is no more.</summary>
    [Alias("Forget"), ResponseTimeout("00:00:05")]
    Task Forget(string name, long epoch);

    /// <summary>What can be owed of the events above a number, in order.</summary>
    [Alias("ReadOwed"), ResponseTimeout("00:00:05")]
    Task<Outcome<OwedNumbers>> ReadOwed(long after, bool all, bool types);

    /// <summary>Of some events those that are in the buffer, in order, at most so many bytes but for the
    /// first.</summary>
    [Alias("ReadEvents"), ResponseTimeout("00:00:05")]
    Task<Outcome<PackedRun>> ReadEvents(long[] seqs, int maxBytes);

    /// <summary>The names of the stream's subscribers, in order.</summary>
    [Alias("SubscriberNames"), ResponseTimeout("00:00:05")]
    Task<Outcome<string[]>> SubscriberNames();
}

/// <summary>What a subscriber tells its stream's owner.</summary>
/// <param name="Epoch">Its opening; 0 while it is not stored.</param>
/// <param name="IsFollowing">Whether it is to be told what becomes visible.</param>
/// <param name="IsRemoved">Whether it is a tombstone.</param>
/// <param name="Position">Everything up to here has been told to it.</param>
/// <param name="DoneThrough">Up to here it needs nothing any more; null: it does not know yet.</param>
/// <param name="Pending">Events that it is owed.</param>
/// <param name="MaxPending">How many at most, if it blocks publishers; null: it does not.</param>
/// <param name="OwesAll">Whether it wants ordinary events.</param>
/// <param name="WantsTypes">Whether it wants types.</param>
/// <param name="IsPushed">Whether it is to stay active, being pushed to.</param>
/// <param name="Number">Rises with every report of an opening: one that comes late is older.</param>
[GenerateSerializer, Immutable, Alias("OrleansEvents.SubscriberReport")]
public sealed record SubscriberReport(
    [property: Id(0)] long Epoch,
    [property: Id(1)] bool IsFollowing,
    [property: Id(2)] bool IsRemoved,
    [property: Id(3)] long Position,
    [property: Id(4)] long? DoneThrough,
    [property: Id(5)] int Pending,
    [property: Id(6)] int? MaxPending,
    [property: Id(7)] bool OwesAll,
    [property: Id(8)] bool WantsTypes,
    [property: Id(9)] bool IsPushed,
    [property: Id(10)] long Number);

/// <summary>What the owner answers.</summary>
/// <param name="Stream">The stream's number in the log.</param>
/// <param name="Head">Its head.</param>
/// <param name="Epochs">The epochs that it remembers.</param>
/// <param name="TrimmedThrough">Up to where storage was trimmed.</param>
/// <param name="DurableSince">From where everything is on storage; null: it is an ordinary stream.</param>
/// <param name="Missed">What became visible since the reported position; null: it must be read.</param>
[GenerateSerializer, Immutable, Alias("OrleansEvents.ReportAnswer")]
public sealed record ReportAnswer(
    [property: Id(0)] long Stream,
    [property: Id(1)] Cursor Head,
    [property: Id(2)] ulong[] Epochs,
    [property: Id(3)] long TrimmedThrough,
    [property: Id(4)] long? DurableSince,
    [property: Id(5)] OwedPush? Missed);

/// <summary>What became visible, for those who may be owed it.</summary>
/// <param name="Stream">The stream's number in the log.</param>
/// <param name="Epoch">The owner's epoch.</param>
/// <param name="Previous">What a subscriber must have been told already; else it has missed something.</param>
/// <param name="Head">What this brings it to.</param>
/// <param name="Marks">What can be owed between the two.</param>
[GenerateSerializer, Immutable, Alias("OrleansEvents.OwedPush")]
public sealed record OwedPush(
    [property: Id(0)] long Stream,
    [property: Id(1)] ulong Epoch,
    [property: Id(2)] long Previous,
    [property: Id(3)] long Head,
    [property: Id(4)] PackedMarks Marks);

/// <summary>What can be owed, read from the owner.</summary>
/// <param name="Head">All up to here is in the marks, but for what was left out by <paramref name="More"/>.</param>
/// <param name="Marks">What can be owed.</param>
/// <param name="More">Whether there is more behind the last mark.</param>
/// <param name="History">The stream's past.</param>
[GenerateSerializer, Immutable, Alias("OrleansEvents.OwedNumbers")]
public sealed record OwedNumbers(
    [property: Id(0)] Cursor Head,
    [property: Id(3)] PackedMarks Marks,
    [property: Id(4)] bool More,
    [property: Id(5)] StreamHistory History);
