using System.Text.Json;

namespace OrleansEvents.Streams;

/// <summary>What storage keeps of a stream: the newest events, as far as every bound that is not null allows. At
/// least one is not null.</summary>
public sealed record StreamRetention
{
    /// <summary>Events that <see cref="Count"/> may be at most.</summary>
    public const long MaxCount = 1_000_000_000;

    /// <summary>Bytes that <see cref="Bytes"/> must be at least.</summary>
    public const long MinBytes = 4096;

    /// <summary>Bytes that <see cref="Bytes"/> may be at most: 1 PiB.</summary>
    public const long MaxBytes = 1L << 50;

    /// <summary>10,000 events and seven days.</summary>
    public static StreamRetention Default { get; } = new();

    /// <summary>Events kept; null: any number. 1 to 1,000,000,000.</summary>
    public long? Count { get; init; } = 10_000;

    /// <summary>Bytes kept; null: any number. 4 KiB to 1 PiB.</summary>
    public long? Bytes { get; init; }

    /// <summary>How old events may become; null: of any age. 1 ms to ten years.</summary>
    public TimeSpan? Age { get; init; } = TimeSpan.FromDays(7);

    /// <summary>Writes the bounds as one JSON object.</summary>
    public void WriteTo(Utf8JsonWriter writer)
    {
        writer.WriteStartObject();
        WriteNumber(writer, "count", Count);
        WriteNumber(writer, "bytes", Bytes);
        StreamSettings.WriteSeconds(writer, "age", Age);
        writer.WriteEndObject();
    }

    private static void WriteNumber(Utf8JsonWriter writer, string name, long? value)
    {
        if (value is { } number) writer.WriteNumber(name, number);
        else writer.WriteNull(name);
    }
}
