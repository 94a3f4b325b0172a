namespace OrleansEvents.Streams;

/// <summary>Why events may be missing.</summary>
public enum GapReason
{
    /// <summary>They fell out of the buffer while the reader was away.</summary>
    Evicted,

    /// <summary>They fell out of the buffer while the reader was connected.</summary>
    Slow,

    /// <summary>Ordinary events died with a process.</summary>
    Restart,

    /// <summary>Another history: recreated, restored, or an unknown cursor.</summary>
    Reset,

    /// <summary>Parked events passed their limit.</summary>
    Expired,
}

/// <summary>What a reader is told when events between its position and where it goes on may be missing.</summary>
/// <param name="After">The reader's position as it gave it; null when it had none that could be read.</param>
/// <param name="ResumedAt">From here on the line is whole again.</param>
/// <param name="Missed">How many, when that can be counted.</param>
/// <param name="Reason">Why.</param>
public readonly record struct Gap(string? After, Cursor ResumedAt, long? Missed, GapReason Reason);

/// <summary>Where a read begins: after this number, and with this gap told first.</summary>
/// <param name="Seq">The number.</param>
/// <param name="Gap">What may be missing before.</param>
/// <param name="Epoch">The opening of which this was found out: what later ones lost is not told yet.</param>
public readonly record struct ReadStart(long Seq, Gap? Gap, ulong Epoch);

/// <summary>The position that a reader asks for.</summary>
/// <param name="Kind">Which of the forms.</param>
/// <param name="Cursor">The cursor, for <see cref="ReadFromKind.Cursor"/>.</param>
/// <param name="Text">The reader's own text, to be repeated in a gap.</param>
/// <param name="SinceMs">Only what was appended at that time or later, Unix milliseconds.</param>
/// <param name="BegunMs">When the server began, Unix milliseconds: what is older may have died with another.</param>
public readonly record struct ReadFrom(ReadFromKind Kind, Cursor Cursor = default, string? Text = null,
    long SinceMs = 0, long BegunMs = 0)
{
    /// <summary>The whole buffer, without a gap.</summary>
    public static ReadFrom Buffer => new(ReadFromKind.Buffer);

    /// <summary>Before everything.</summary>
    public static ReadFrom Beginning => new(ReadFromKind.Beginning, Text: "0");

    /// <summary>The head at this moment.</summary>
    public static ReadFrom Head => new(ReadFromKind.Head, Text: "$");

    /// <summary>What was appended since a time.</summary>
    public static ReadFrom Since(long unixMs, long begunMs, string? text) =>
        new(ReadFromKind.Since, Text: text, SinceMs: unixMs, BegunMs: begunMs);

    /// <summary>A position that nobody knows: a reset.</summary>
    public static ReadFrom Unknown(string? text) => new(ReadFromKind.Unknown, Text: text);

    /// <summary>Behind a cursor.</summary>
    public static ReadFrom After(Cursor cursor) => new(ReadFromKind.Cursor, cursor, cursor.ToString());
}

/// <summary>The forms of a position.</summary>
public enum ReadFromKind
{
    /// <summary>No position: the whole buffer, without a gap.</summary>
    Buffer,

    /// <summary><c>0</c>: before everything.</summary>
    Beginning,

    /// <summary><c>$</c>: the head at this moment.</summary>
    Head,

    /// <summary>A cursor.</summary>
    Cursor,

    /// <summary>A time: events may repeat.</summary>
    Since,

    /// <summary>A text that is no cursor of ours: a reset.</summary>
    Unknown,
}
