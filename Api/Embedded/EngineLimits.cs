namespace OrleansEvents.Api.Embedded;

/// <summary>Bounds of the engine as a whole.</summary>
/// <param name="MemoryBytes">Bytes that the buffers of all streams may hold together.</param>
/// <param name="Streams">Streams open at once.</param>
/// <param name="Placeholders">Absent streams that readers wait for at once.</param>
/// <param name="PatternStreams">Streams that one pattern may match.</param>
/// <param name="Subscribers">Subscribers of one stream.</param>
internal sealed record EngineLimits(long MemoryBytes, int Streams, int Placeholders, int PatternStreams,
    int Subscribers);
