using System.Text.Json;

namespace OrleansEvents.Client;

/// <summary>An event that is to be published.</summary>
public sealed record NewEvent
{
    /// <summary>Makes an event of a type and its data.</summary>
    /// <param name="type">What kind of event it is: 1 to 100 printable characters.</param>
    /// <param name="data">One JSON value in UTF-8. Line ends between its tokens become spaces.</param>
    public NewEvent(string type, ReadOnlyMemory<byte> data)
    {
        ArgumentException.ThrowIfNullOrEmpty(type);
        Type = type;
        Data = data;
    }

    /// <summary>What kind of event it is.</summary>
    public string Type { get; }

    /// <summary>The event's data: one JSON value in UTF-8.</summary>
    public ReadOnlyMemory<byte> Data { get; }

    /// <summary>The version of the type's schema, 1 to 999.</summary>
    public int Version { get; init; } = 1;

    /// <summary>
    /// Whether the event is durable before its publisher is answered, and owed to every subscriber.
    /// Null leaves it to the stream's settings.
    /// </summary>
    public bool? Critical { get; init; }

    /// <summary>
    /// The publisher's own id for the event, 1 to 200 characters: a second event with the same key is not appended.
    /// Null lets the client make one, so that its own retries double nothing.
    /// </summary>
    public string? Key { get; init; }

    /// <summary>When it happened. Null: when the server appends it.</summary>
    public DateTimeOffset? Time { get; init; }

    /// <summary>Makes an event whose data is a value of the application.</summary>
    /// <param name="type">What kind of event it is: 1 to 100 printable characters.</param>
    /// <param name="data">The value that is written as JSON.</param>
    /// <param name="json">How it is written; null takes camel case, as the standard payloads have it.</param>
    public static NewEvent Of<T>(string type, T data, JsonSerializerOptions? json = null) =>
        new(type, JsonSerializer.SerializeToUtf8Bytes(data, json ?? JsonSerializerOptions.Web));
}
