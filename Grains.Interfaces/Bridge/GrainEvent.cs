using System.Text.Json;
using OrleansEvents.Streams;

namespace OrleansEvents.Grains.Interfaces;

/// <summary>
/// The item of the Orleans streams that are event streams: what grains and clients of the cluster publish, and what
/// they are given when they follow. Beside events a follower is told of gaps and of the stream's end, in their place.
/// </summary>
/// <param name="Type">1 to 100 printable characters; empty when this is no event.</param>
/// <param name="Data">One JSON value in UTF-8.</param>
/// <param name="Version">1 to 999.</param>
/// <param name="Critical">Null leaves it to the stream's rules. Never null when it is followed.</param>
/// <param name="Key">The publisher's own id, 1 to 200 characters: publishing it again appends nothing.</param>
/// <param name="Time">The publisher's time; null takes the time of appending.</param>
[GenerateSerializer, Immutable, Alias("OrleansEvents.GrainEvent")]
public sealed record GrainEvent(
    [property: Id(0)] string Type,
    [property: Id(1)] ReadOnlyMemory<byte> Data,
    [property: Id(2)] int Version = 1,
    [property: Id(3)] bool? Critical = null,
    [property: Id(4)] string? Key = null,
    [property: Id(5)] DateTimeOffset? Time = null)
{
    /// <summary>The event's cursor, or that of what is told here; null on the way in.</summary>
    [Id(6)]
    public string? Id { get; init; }

    /// <summary>The event's number in its stream; 0 when this is no event.</summary>
    [Id(7)]
    public long Seq { get; init; }

    /// <summary>Events may be missing before the next: then this is no event.</summary>
    [Id(8)]
    public Gap? Gap { get; init; }

    /// <summary>The stream was completed or deleted: then this is no event.</summary>
    [Id(9)]
    public StreamState? Ended { get; init; }

    /// <summary>Whether it is an event, and not word of a gap or the end.</summary>
    public bool IsEvent => Seq > 0;

    /// <summary>An event with a value as its data, in JSON as the web has it.</summary>
    public static GrainEvent Of<T>(string type, T data, bool? critical = null, string? key = null) =>
        new(type, JsonSerializer.SerializeToUtf8Bytes(data, JsonSerializerOptions.Web), Critical: critical, Key: key);

    /// <summary>The data as a value. Throws <see cref="JsonException"/>.</summary>
    public T? DataAs<T>() => JsonSerializer.Deserialize<T>(Data.Span, JsonSerializerOptions.Web);
}
