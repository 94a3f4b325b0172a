using System.Buffers;
using System.Buffers.Text;
using System.Text;
using System.Text.Json;

namespace OrleansEvents.Streams;

/// <summary>Reads a CloudEvent's JSON object (structured mode), token by token.</summary>
internal static class CloudEventReader
{
    // Six bytes may stand for one character.
    private const int MaxNameBytes = 6 * CloudEventDraft.MaxNameLength;

    /// <summary>Reads the object whose first token is the current one, up to its end. Returns what is wrong, or null.
    /// <paramref name="text"/> is what the reader reads; the event's data lies in it.</summary>
    public static string? Read(ref Utf8JsonReader reader, Memory<byte> text, CloudEventDraft draft, out NewEvent @event)
    {
        @event = default;
        if (reader.TokenType != JsonTokenType.StartObject) return "a CloudEvent must be a JSON object.";
        draft.Clear();
        ReadOnlyMemory<byte> data = default, base64 = default;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("data"u8))
            {
                if (!data.IsEmpty) return "\"data\" is given twice.";
                reader.Read();
                data = EventReader.ReadData(ref reader, text);
            }
            else if (reader.ValueTextEquals("data_base64"u8))
            {
                if (!base64.IsEmpty) return "\"data_base64\" is given twice.";
                reader.Read();
                if (!ReadBase64(ref reader, text, out base64)) return "\"data_base64\" must be a string in Base64.";
            }
            else if (ReadAttribute(ref reader, draft) is { } problem) return problem;
        }
        if (!data.IsEmpty && !base64.IsEmpty) return "\"data\" and \"data_base64\" are both given.";
        return draft.Finish(base64.IsEmpty ? data : base64, !base64.IsEmpty, out @event);
    }

    private static string? ReadAttribute(ref Utf8JsonReader reader, CloudEventDraft draft)
    {
        Span<byte> unescaped = stackalloc byte[MaxNameBytes];
        scoped var name = reader.ValueSpan;
        if (reader.ValueIsEscaped && name.Length <= MaxNameBytes)
            name = unescaped[..reader.CopyString(unescaped)];
        if (CloudEventDraft.NameProblem(name) is { } problem) return problem;
        reader.Read();
        switch (reader.TokenType)
        {
            case JsonTokenType.String:
                return ReadText(ref reader, name, draft);
            case JsonTokenType.True or JsonTokenType.False:
                return draft.AddLiteral(name, reader.ValueSpan);
            case JsonTokenType.Number when reader.TryGetInt32(out _):
                return draft.AddLiteral(name, reader.ValueSpan);
            case JsonTokenType.Null:
                // The same as none at all.
                return null;
            default:
                return $"\"{StreamName.Shown(Encoding.ASCII.GetString(name))}\" must be a string, a boolean "
                    + "or a whole number of 32 bits.";
        }
    }

    private static string? ReadText(ref Utf8JsonReader reader, scoped ReadOnlySpan<byte> name, CloudEventDraft draft)
    {
        if (!reader.ValueIsEscaped) return draft.AddText(name, reader.ValueSpan);
        var unescaped = ArrayPool<byte>.Shared.Rent(reader.ValueSpan.Length);
        var problem = draft.AddText(name, unescaped.AsSpan(0, reader.CopyString(unescaped)));
        ArrayPool<byte>.Shared.Return(unescaped);
        return problem;
    }

    /// <summary>The whole string in quotes; nothing for null.</summary>
    private static bool ReadBase64(ref Utf8JsonReader reader, Memory<byte> text, out ReadOnlyMemory<byte> quoted)
    {
        quoted = default;
        if (reader.TokenType == JsonTokenType.Null) return true;
        if (reader.TokenType != JsonTokenType.String) return false;
        if (reader.ValueIsEscaped)
        {
            var unescaped = new byte[reader.ValueSpan.Length + 2];
            var length = reader.CopyString(unescaped.AsSpan(1));
            unescaped[0] = unescaped[length + 1] = (byte)'"';
            quoted = unescaped.AsMemory(0, length + 2);
        }
        else quoted = text[(int)reader.TokenStartIndex..(int)reader.BytesConsumed];
        // The framework passes over white space.
        var digits = quoted.Span[1..^1];
        return Base64.IsValid(digits) && !digits.ContainsAny(" \t\r\n"u8);
    }
}
