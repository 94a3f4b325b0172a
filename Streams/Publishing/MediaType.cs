using System.Buffers;
using System.Text;

namespace OrleansEvents.Streams;

/// <summary>What an event's data is, to be kept as JSON.</summary>
internal enum DataForm
{
    /// <summary>A JSON value, as it is.</summary>
    Json,

    /// <summary>Text in UTF-8, as a JSON string.</summary>
    Text,

    /// <summary>Bytes, as a JSON string in Base64.</summary>
    Bytes,
}

/// <summary>Types of content (RFC 2046). Which form data has follows from its type alone, never from its
/// bytes.</summary>
internal static class MediaType
{
    private static readonly SearchValues<byte> s_token = SearchValues.Create(
        "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"u8);

    private static readonly string[] s_textSubtypes =
        ["x-yaml", "x-ndjson", "ndjson", "jsonl", "x-www-form-urlencoded", "javascript"];

    /// <summary>Reads <c>type/subtype</c> and its parameters; false when it is none.</summary>
    public static bool TryRead(ReadOnlySpan<byte> text, out DataForm form)
    {
        form = DataForm.Bytes;
        if (!TakeToken(ref text, out var type) || !Take(ref text, (byte)'/') || !TakeToken(ref text, out var subtype))
            return false;
        var charset = default(ReadOnlySpan<byte>);
        while (!(text = text.TrimStart(" \t"u8)).IsEmpty)
        {
            if (!Take(ref text, (byte)';')) return false;
            text = text.TrimStart(" \t"u8);
            if (text.IsEmpty) break;
            var isCharset = Ascii.EqualsIgnoreCase(text[..Math.Min(8, text.Length)], "charset="u8);
            if (!TakeToken(ref text, out _) || !Take(ref text, (byte)'=')) return false;
            var value = text;
            if (!TakeValue(ref text)) return false;
            if (isCharset) charset = value[..^text.Length].Trim((byte)'"');
        }
        form = FormOf(type, subtype, charset);
        return true;
    }

    private static DataForm FormOf(ReadOnlySpan<byte> type, ReadOnlySpan<byte> subtype, ReadOnlySpan<byte> charset)
    {
        var isUtf8 = Ascii.EqualsIgnoreCase(charset, "utf-8"u8) || Ascii.EqualsIgnoreCase(charset, "us-ascii"u8);
        if (!charset.IsEmpty && !isUtf8) return DataForm.Bytes;
        if (Is(subtype, "json"u8)) return DataForm.Json;
        return isUtf8 || Ascii.EqualsIgnoreCase(type, "text"u8) || Is(subtype, "xml"u8) || Is(subtype, "yaml"u8)
            || s_textSubtypes.Contains(Encoding.ASCII.GetString(subtype), StringComparer.OrdinalIgnoreCase)
            ? DataForm.Text : DataForm.Bytes;
    }

    /// <summary>Whether it is that format or, as in <c>image/svg+xml</c>, one written in it.</summary>
    private static bool Is(ReadOnlySpan<byte> subtype, ReadOnlySpan<byte> format) =>
        Ascii.EqualsIgnoreCase(subtype[(subtype.LastIndexOf((byte)'+') + 1)..], format);

    private static bool TakeToken(ref ReadOnlySpan<byte> text, out ReadOnlySpan<byte> token)
    {
        var end = text.IndexOfAnyExcept(s_token);
        token = end < 0 ? text : text[..end];
        text = text[token.Length..];
        return !token.IsEmpty;
    }

    private static bool Take(ref ReadOnlySpan<byte> text, byte mark)
    {
        if (text.IsEmpty || text[0] != mark) return false;
        text = text[1..];
        return true;
    }

    private static bool TakeValue(ref ReadOnlySpan<byte> text)
    {
        if (!Take(ref text, (byte)'"')) return TakeToken(ref text, out _);
        for (var i = 0; i < text.Length; i++)
        {
            if (text[i] == '\\') i++;
            else if (text[i] == '"')
            {
                text = text[(i + 1)..];
                return true;
            }
        }
        return false;
    }
}
