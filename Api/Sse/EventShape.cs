using System.Buffers;
using System.Collections.Frozen;
using System.Globalization;
using System.Text;
using System.Text.Json;
using OrleansEvents.Api.Http;
using OrleansEvents.Streams;

namespace OrleansEvents.Api.Sse;

/// <summary>
/// Which events a reader wants and how their frames look to it. A plain reader gets the frames as they lie in the
/// feed; any other shape is a copy, made from the frame's own bytes.
/// </summary>
internal sealed class EventShape
{
    private static readonly FrozenSet<string> s_reserved = ServerFrame.Names.ToFrozenSet(StringComparer.Ordinal);
    private readonly byte[][]? _types;
    private readonly bool _names;
    private readonly bool _raw;
    private readonly bool _ids;

    /// <param name="types">Only these types; null: all.</param>
    /// <param name="names">Adds an event name.</param>
    /// <param name="raw">The data alone.</param>
    /// <param name="ids">Whether event frames carry an SSE id: not on a connection over many streams.</param>
    public EventShape(IReadOnlyList<string>? types, bool names, bool raw, bool ids)
    {
        // What cannot be a type is the type of nothing.
        _types = types?.Select(type => EventType.TryEncode(type, out var canonical) ? canonical : []).ToArray();
        (_names, _raw, _ids) = (names, raw, ids);
    }

    /// <summary>Whether frames go out as they are.</summary>
    public bool IsPlain => _types is null && !_names && !_raw && _ids;

    public bool Wants(ReadOnlySpan<byte> frame, in EventSlot slot)
    {
        if (_types is null) return true;
        var type = frame.Slice(slot.TypeStart, slot.TypeLength);
        foreach (var wanted in _types)
            if (type.SequenceEqual(wanted)) return true;
        return false;
    }

    /// <summary>Writes one frame; <paramref name="attempt"/> is told from the second on, and what is beside the line
    /// carries no id.</summary>
    public void Write(IBufferWriter<byte> output, ReadOnlySpan<byte> frame, in EventSlot slot, int attempt = 1,
        bool beside = false)
    {
        var id = _ids && !beside;
        if (_raw)
        {
            WriteRaw(output, frame, slot, id);
            return;
        }
        if (id) output.Write(frame[..EventSlot.IdLineLength]);
        if (_names) WriteName(output, frame.Slice(slot.TypeStart, slot.TypeLength));
        if (attempt <= 1)
        {
            output.Write(frame[EventSlot.IdLineLength..]);
            return;
        }
        output.Write("data: "u8);
        WriteJson(output, frame, slot, attempt);
        output.Write("\n\n"u8);
    }

    /// <summary>Writes the event as one JSON object.</summary>
    public static void WriteJson(IBufferWriter<byte> output, ReadOnlySpan<byte> frame, in EventSlot slot,
        int attempt = 1)
    {
        var json = frame[EventSlot.JsonStart..^2];
        if (attempt <= 1)
        {
            output.Write(json);
            return;
        }
        var last = json.Length - 1 - slot.LastMembersLength;
        output.Write(json[..last]);
        Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $",\"attempt\":{attempt}"), output);
        output.Write(json[last..]);
    }

    /// <summary>Writes the event as one JSON object with members of one's own where <c>attempt</c> is.</summary>
    public static void WriteJson(IBufferWriter<byte> output, ReadOnlySpan<byte> frame, in EventSlot slot,
        Action<Utf8JsonWriter> members)
    {
        var text = frame[EventSlot.JsonStart..^2];
        var last = text.Length - 1 - slot.LastMembersLength;
        output.Write(text[..last]);
        output.Write(","u8);
        var rest = new ArrayBufferWriter<byte>(128);
        using (var json = new Utf8JsonWriter(rest, JsonAnswer.WriterOptions))
        {
            json.WriteStartObject();
            members(json);
            json.WriteEndObject();
        }
        output.Write(rest.WrittenSpan[1..^1]);
        output.Write(text[last..]);
    }

    private void WriteRaw(IBufferWriter<byte> output, ReadOnlySpan<byte> frame, in EventSlot slot, bool id)
    {
        var data = frame.Slice(slot.DataStart, slot.DataLength);
        if (frame.Slice(slot.TypeStart, slot.TypeLength).SequenceEqual("state_patch"u8) && data[0] == '[')
        {
            WriteOperations(output, frame, slot, data, id);
            return;
        }
        WriteRawFrame(output, frame, slot, data, id);
    }

    private void WriteRawFrame(IBufferWriter<byte> output, ReadOnlySpan<byte> frame, in EventSlot slot,
        ReadOnlySpan<byte> data, bool id)
    {
        if (id) output.Write(frame[..EventSlot.IdLineLength]);
        if (_names) WriteName(output, frame.Slice(slot.TypeStart, slot.TypeLength));
        output.Write("data: "u8);
        output.Write(data);
        output.Write("\n\n"u8);
    }

    /// <summary>One operation a frame; only the last moves the cursor, so that a cut repeats rather than
    /// loses.</summary>
    private void WriteOperations(IBufferWriter<byte> output, ReadOnlySpan<byte> frame, in EventSlot slot,
        ReadOnlySpan<byte> data, bool id)
    {
        var json = new Utf8JsonReader(data);
        json.Read();
        var (start, end) = (-1, -1);
        while (json.Read() && json.TokenType != JsonTokenType.EndArray)
        {
            if (start >= 0) WriteRawFrame(output, frame, slot, data[start..end], id: false);
            start = (int)json.TokenStartIndex;
            json.Skip();
            end = (int)json.BytesConsumed;
        }
        if (start >= 0) WriteRawFrame(output, frame, slot, data[start..end], id);
    }

    private static void WriteName(IBufferWriter<byte> output, ReadOnlySpan<byte> type)
    {
        var name = type.Contains((byte)'\\')
            ? JsonSerializer.Deserialize<string>([(byte)'"', .. type, (byte)'"'])!
            : Encoding.UTF8.GetString(type);
        if (s_reserved.Contains(name)) return;
        Encoding.UTF8.GetBytes($"event: {name}\n", output);
    }
}
