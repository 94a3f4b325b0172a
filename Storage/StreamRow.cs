using OrleansEvents.Streams;

namespace OrleansEvents.Storage;

/// <summary>A stream's row.</summary>
internal sealed record StreamRow(long Id, long? Deleted, long? CloseEnd, long CloseFloor, long Reserved, long Trimmed,
    long? DurableSince, bool Completed, long CreatedMs, EpochRecord[] Epochs, string? Settings);
