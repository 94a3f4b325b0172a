using System.Text.Json;

namespace OrleansEvents.Streams;

/// <summary>Reads one event's JSON object, token by token.</summary>
internal static class EventReader
{
    /// <summary>Characters (Unicode scalar values) of a key at most.</summary>
    public const int MaxKeyLength = 200;

    private const int MaxVersion = 999;

    [Flags]
    private enum Member
    {
        Unknown = 0,
        Type = 1,
        Version = 2,
        Data = 4,
        Critical = 8,
        Key = 16,
        Time = 32,
    }

    /// <summary>Reads the object whose first token is the current one, up to its end. Returns what is wrong, or null.
    /// <paramref name="text"/> is what the reader reads.</summary>
    public static string? Read(ref Utf8JsonReader reader, Memory<byte> text, out NewEvent @event)
    {
        @event = default;
        if (reader.TokenType != JsonTokenType.StartObject) return "an event must be a JSON object.";
        var draft = new Draft { Version = 1 };
        var seen = Member.Unknown;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var member = MemberOf(ref reader);
            if (member == Member.Unknown) return $"unknown member \"{StreamName.Shown(reader.GetString())}\".";
            if ((seen & member) != 0) return $"\"{reader.GetString()}\" is given twice.";
            seen |= member;
            reader.Read();
            if (ReadValue(ref reader, member, text, ref draft) is { } problem) return problem;
        }
        if ((seen & Member.Type) == 0) return "\"type\" is missing.";
        if ((seen & Member.Data) == 0) return "\"data\" is missing.";
        @event = new NewEvent(draft.Type, draft.Version, draft.Data, draft.Critical, draft.Key, draft.Time);
        return null;
    }

    /// <summary>Characters of a key, a surrogate pair as one.</summary>
    public static int KeyLength(ReadOnlySpan<char> key)
    {
        var length = 0;
        foreach (var _ in key.EnumerateRunes()) length++;
        return length;
    }

    private static Member MemberOf(ref Utf8JsonReader reader)
    {
        if (reader.ValueTextEquals("type"u8)) return Member.Type;
        if (reader.ValueTextEquals("data"u8)) return Member.Data;
        if (reader.ValueTextEquals("version"u8)) return Member.Version;
        if (reader.ValueTextEquals("key"u8)) return Member.Key;
        if (reader.ValueTextEquals("time"u8)) return Member.Time;
        return reader.ValueTextEquals("critical"u8) ? Member.Critical : Member.Unknown;
    }

    private static string? ReadValue(ref Utf8JsonReader reader, Member member, Memory<byte> text, ref Draft draft)
    {
        switch (member)
        {
            case Member.Type:
                return ReadType(ref reader, text, out draft.Type) ? null : $"\"type\" must have {EventType.Rule}.";
            case Member.Data:
                draft.Data = ReadData(ref reader, text);
                return null;
            case Member.Version:
                return reader.TokenType == JsonTokenType.Number && reader.TryGetInt32(out draft.Version)
                    && draft.Version is >= 1 and <= MaxVersion
                    ? null : "\"version\" must be a whole number from 1 to 999.";
            case Member.Key:
                return ReadKey(ref reader, out draft.Key)
                    ? null : "\"key\" must be a string of 1 to 200 characters without NUL.";
            case Member.Time:
                return ReadTime(ref reader, out draft.Time)
                    ? null : "\"time\" must be a time as RFC 3339 has it, with its offset.";
            default:
                draft.Critical = reader.TokenType == JsonTokenType.True;
                return draft.Critical.Value || reader.TokenType == JsonTokenType.False
                    ? null : "\"critical\" must be true or false.";
        }
    }

    private static bool ReadType(ref Utf8JsonReader reader, Memory<byte> text, out ReadOnlyMemory<byte> type)
    {
        type = default;
        if (reader.TokenType != JsonTokenType.String) return false;
        var content = text.Slice((int)reader.TokenStartIndex + 1, reader.ValueSpan.Length);
        type = content;
        if (!reader.ValueIsEscaped) return EventType.IsPrintable(content.Span);
        // Twelve bytes may stand for one character: two escapes of six.
        if (content.Length > 12 * EventType.MaxLength) return false;
        Span<byte> utf8 = stackalloc byte[content.Length];
        utf8 = utf8[..reader.CopyString(utf8)];
        if (!EventType.IsPrintable(utf8)) return false;
        // Fits in place: no character's canonical form is longer than any escaped form of it.
        type = content[..EventType.Escape(utf8, content.Span)];
        return true;
    }

    /// <summary>The value whose first token is the current one, its raw CR and LF made spaces.</summary>
    public static ReadOnlyMemory<byte> ReadData(ref Utf8JsonReader reader, Memory<byte> text)
    {
        var start = (int)reader.TokenStartIndex;
        reader.Skip();
        var data = text[start..(int)reader.BytesConsumed];
        // A string cannot hold them raw, so they lie between tokens.
        if (data.Span.ContainsAny((byte)'\r', (byte)'\n'))
        {
            data.Span.Replace((byte)'\r', (byte)' ');
            data.Span.Replace((byte)'\n', (byte)' ');
        }
        return data;
    }

    private static bool ReadKey(ref Utf8JsonReader reader, out string? key)
    {
        key = null;
        if (reader.TokenType != JsonTokenType.String) return false;
        // Before the string is made: six bytes an escaped character, twelve one beyond the basic plane.
        if (reader.ValueSpan.Length is 0 or > 12 * MaxKeyLength) return false;
        key = reader.GetString()!;
        return (key.Length <= MaxKeyLength || KeyLength(key) <= MaxKeyLength) && !key.Contains('\0');
    }

    private static bool ReadTime(ref Utf8JsonReader reader, out DateTimeOffset? time)
    {
        time = null;
        if (reader.TokenType != JsonTokenType.String || reader.ValueSpan.Length > 200) return false;
        Span<byte> utf8 = stackalloc byte[200];
        if (!Rfc3339.TryParse(utf8[..reader.CopyString(utf8)], out var moment)) return false;
        time = moment;
        return true;
    }

    private struct Draft
    {
        public ReadOnlyMemory<byte> Type;
        public int Version;
        public ReadOnlyMemory<byte> Data;
        public bool? Critical;
        public string? Key;
        public DateTimeOffset? Time;
    }
}
