namespace OrleansEvents.Streams;

/// <summary>
/// One event as its publisher gave it, checked and cut out of the request's bytes. Its memories stay the
/// caller's: they are copied by the time <see cref="EventStream"/> has answered.
/// </summary>
/// <param name="Type">The type as the UTF-8 content of a JSON string, escaped, without quotes.</param>
/// <param name="Version">1 to 999.</param>
/// <param name="Data">One JSON value in UTF-8, without raw CR or LF.</param>
/// <param name="Critical">What the publisher said; null leaves it to the stream's rules.</param>
/// <param name="Key">The publisher's own id, 1 to 200 characters, or null.</param>
/// <param name="Time">The publisher's time; null takes the time of appending.</param>
/// <param name="CloudEvent">The attributes of an event that came as a CloudEvent, but its type: a JSON object on one
/// line; empty for another.</param>
/// <param name="TraceParent">The W3C trace context, <see cref="Streams.TraceParent.Length"/> bytes, or empty.</param>
public readonly record struct NewEvent(
    ReadOnlyMemory<byte> Type,
    int Version,
    ReadOnlyMemory<byte> Data,
    bool? Critical = null,
    string? Key = null,
    DateTimeOffset? Time = null,
    ReadOnlyMemory<byte> CloudEvent = default,
    ReadOnlyMemory<byte> TraceParent = default);
