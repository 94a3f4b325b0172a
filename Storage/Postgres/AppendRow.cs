using OrleansEvents.Streams;

namespace OrleansEvents.Storage.Postgres;

/// <summary>A row of events that is being written, with the keys of these events.</summary>
internal sealed class AppendRow
{
    public required long Stream { get; init; }

    public required long First { get; init; }

    public long Last { get; private init; }

    public long AppendedMs { get; private init; }

    public int Count { get; private init; }

    public int Critical { get; private init; }

    public byte[] Slots { get; private init; } = [];

    public ReadOnlyMemory<byte> Frames { get; private init; }

    public long? KeysUntilMs { get; private set; }

    public byte[]? Keys { get; private set; }

    public static AppendRow Of(long stream, EventRun run, bool lasts) => new()
    {
        Stream = stream,
        First = run.First,
        Last = run.Last,
        AppendedMs = run.Slots[^1].AppendedMs,
        Count = run.Count,
        Critical = StoredRuns.CountCritical(run.Slots),
        Slots = RunColumns.Slots(run),
        Frames = lasts ? run.Frames : run.Frames.ToArray(),
    };

    /// <summary>Keys without events.</summary>
    public static AppendRow Bare(long stream, long first) => new() { Stream = stream, First = first };

    public void Add(LogKey key)
    {
        Keys = KeyBlob.Add(Keys, key);
        KeysUntilMs = Math.Max(KeysUntilMs ?? long.MinValue, key.ExpiresMs);
    }
}
