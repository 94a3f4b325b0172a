namespace OrleansEvents.Streams;

/// <summary>
/// Now, as a state machine is told it: wall time for what people and storage see, monotonic time for deadlines,
/// both in milliseconds.
/// </summary>
public readonly record struct Instant(long UnixMs, long Ms)
{
    /// <summary>Reads both clocks of a time provider.</summary>
    public static Instant Of(TimeProvider time)
    {
        var ticks = (Int128)time.GetTimestamp() * 1000 / time.TimestampFrequency;
        return new(time.GetUtcNow().ToUnixTimeMilliseconds(), (long)ticks);
    }
}
