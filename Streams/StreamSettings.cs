using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Text;
using System.Text.Json;

namespace OrleansEvents.Streams;

/// <summary>A stream's settings, section 6 of the contract. Immutable; every bound is checked when they are read
/// from JSON, and what is out of bounds is INVALID_INPUT.</summary>
public sealed record StreamSettings
{
    /// <summary>Events that <see cref="Buffer"/> may be at most.</summary>
    public const int MaxBuffer = 10_000_000;

    /// <summary>Bytes that <see cref="BufferBytes"/> must be at least.</summary>
    public const int MinBufferBytes = 4096;

    /// <summary>Bytes that <see cref="BufferBytes"/> may be at most: 1 GiB.</summary>
    public const int MaxBufferBytes = 1 << 30;

    /// <summary>Events that <see cref="Backlog"/> may be at most.</summary>
    public const int MaxBacklog = 1_000_000;

    /// <summary>The longest <see cref="DedupeWindow"/>: a day, for every key in it is in memory.</summary>
    public static readonly TimeSpan MaxDedupeWindow = TimeSpan.FromDays(1);

    /// <summary>The longest <see cref="MaxAge"/>, <see cref="IdleAfter"/> and age of retention: ten years.</summary>
    public static readonly TimeSpan MaxDuration = TimeSpan.FromDays(3650);

    /// <summary>The shortest of all durations, and what they are rounded to.</summary>
    public static readonly TimeSpan MinDuration = TimeSpan.FromMilliseconds(1);

    /// <summary>What a stream has until it is told otherwise.</summary>
    public static StreamSettings Default { get; } = new();

    /// <summary>Events that the buffer holds; older ones are evicted. 1 to 10,000,000.</summary>
    public int Buffer { get; init; } = 100;

    /// <summary>Bytes that the buffer holds; older events are evicted. 4 KiB to 1 GiB.</summary>
    public int BufferBytes { get; init; } = 1 << 20;

    /// <summary>How old events of the buffer may become; null: of any age. 1 ms to ten years.</summary>
    public TimeSpan? MaxAge { get; init; }

    /// <summary>Whether every event is as durable as a critical one and read back beyond the buffer.</summary>
    public bool Durable { get; init; }

    /// <summary>What storage keeps.</summary>
    public StreamRetention Retention { get; init; } = StreamRetention.Default;

    /// <summary>Which events are critical when their publisher does not say.</summary>
    public CriticalRules Critical { get; init; } = CriticalRules.Default;

    /// <summary>Unacknowledged critical events that a <c>block</c> subscriber may be owed before publishing more of
    /// them is BACKLOG_FULL. 1 to 1,000,000.</summary>
    public int Backlog { get; init; } = 10_000;

    /// <summary>For how long a key is remembered. 1 ms to a day.</summary>
    public TimeSpan DedupeWindow { get; init; } = TimeSpan.FromSeconds(120);

    /// <summary>After how long without use the stream is unloaded from memory. 1 ms to ten years.</summary>
    public TimeSpan IdleAfter { get; init; } = TimeSpan.FromSeconds(900);

    /// <summary>
    /// These settings with the members of a JSON object in place of their own, <c>retention</c> member by member. An
    /// unknown or repeated member, a wrong type or a value out of bounds is INVALID_INPUT with the member's name.
    /// </summary>
    public bool TryApply(ReadOnlyMemory<byte> json, [NotNullWhen(true)] out StreamSettings? changed,
        out Refusal refusal)
    {
        changed = new StreamSettingsReader(this).Read(json, out var problem);
        refusal = changed is null ? new Refusal(ErrorCode.InvalidInput, problem!) : default;
        return changed is not null;
    }

    /// <summary>Writes all settings as one JSON object, in the contract's order.</summary>
    public void WriteTo(Utf8JsonWriter writer)
    {
        writer.WriteStartObject();
        WriteMembersTo(writer);
        writer.WriteEndObject();
    }

    /// <summary>Writes the members alone, into an object that the caller has begun.</summary>
    public void WriteMembersTo(Utf8JsonWriter writer)
    {
        writer.WriteNumber("buffer", Buffer);
        writer.WriteNumber("bufferBytes", BufferBytes);
        WriteSeconds(writer, "maxAge", MaxAge);
        writer.WriteBoolean("durable", Durable);
        writer.WritePropertyName("retention");
        Retention.WriteTo(writer);
        writer.WritePropertyName("critical");
        Critical.WriteTo(writer);
        writer.WriteNumber("backlog", Backlog);
        WriteSeconds(writer, "dedupeWindow", DedupeWindow);
        WriteSeconds(writer, "idleAfter", IdleAfter);
        writer.WriteBoolean("validate", false);
    }

    /// <summary>The settings as the JSON text that is stored.</summary>
    public string ToJson()
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(buffer)) WriteTo(writer);
        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }

    /// <summary>Reads stored text; members it does not have take their defaults. Throws
    /// <see cref="FormatException"/> for text that was not written by <see cref="ToJson"/>.</summary>
    public static StreamSettings Parse(string json) =>
        Default.TryApply(Encoding.UTF8.GetBytes(json), out var settings, out var refusal)
            ? settings : throw new FormatException(refusal.Detail);

    internal static void WriteSeconds(Utf8JsonWriter writer, string name, TimeSpan? duration)
    {
        // Decimal, not double: 0.1 s is written as 0.1.
        if (duration is { } time) writer.WriteNumber(name, (decimal)time.Ticks / TimeSpan.TicksPerSecond);
        else writer.WriteNull(name);
    }
}
