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
        var (ticks, frequency) = (time.GetTimestamp(), time.TimestampFrequency);
        // Most clocks' ticks are parts of a millisecond; a division of 128 bits takes longer than the clock.
        var ms = frequency % 1000 == 0 ? ticks / (frequency / 1000) : (long)((Int128)ticks * 1000 / frequency);
        return new(time.GetUtcNow().ToUnixTimeMilliseconds(), ms);
    }
}
