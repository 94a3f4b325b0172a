using System.Text.Unicode;

namespace OrleansEvents.Streams;

/// <summary>What a JSON reader does not check in its bytes, and every text from outside must pass.</summary>
internal static class JsonText
{
    private static ReadOnlySpan<byte> ByteOrderMark => [0xEF, 0xBB, 0xBF];

    /// <summary>How many bytes a byte order mark takes at the start: 3 or 0.</summary>
    public static int MarkLength(ReadOnlySpan<byte> text) => text.StartsWith(ByteOrderMark) ? ByteOrderMark.Length : 0;

    /// <summary>What is wrong with the bytes as text (a sentence for a refusal), or null.</summary>
    public static string? Problem(ReadOnlySpan<byte> text)
    {
        if (!Utf8.IsValid(text)) return "The body is not valid UTF-8.";
        var half = LoneSurrogate(text);
        return half < 0 ? null : $"The escape at byte {half} of the body is one half of a surrogate pair.";
    }

    /// <summary>Valid UTF-8 as a JSON string, with no more escapes than JSON wants.</summary>
    public static byte[] Quote(ReadOnlySpan<byte> utf8)
    {
        var length = 2;
        foreach (var b in utf8) length += b is (byte)'"' or (byte)'\\' ? 2 : b < ' ' ? 6 : 1;
        var quoted = new byte[length];
        var at = 0;
        quoted[at++] = (byte)'"';
        foreach (var b in utf8)
        {
            if (b < ' ')
            {
                "\\u00"u8.CopyTo(quoted.AsSpan(at));
                quoted[at + 4] = (byte)(b < 16 ? '0' : '1');
                quoted[at + 5] = "0123456789abcdef"u8[b & 15];
                at += 6;
                continue;
            }
            if (b is (byte)'"' or (byte)'\\') quoted[at++] = (byte)'\\';
            quoted[at++] = b;
        }
        quoted[at] = (byte)'"';
        return quoted;
    }

    /// <summary>Where an escape such as <c>\ud800</c> stands without its other half, or -1. No JSON writer could
    /// pass such a string on. Escapes that are not well formed are left to the reader.</summary>
    private static int LoneSurrogate(ReadOnlySpan<byte> text)
    {
        var at = 0;
        while (true)
        {
            var next = text[at..].IndexOf((byte)'\\');
            if (next < 0) return -1;
            at += next;
            var unit = Unit(text, at);
            if (unit is < 0xD800 or > 0xDFFF) at = Math.Min(at + 2, text.Length);
            else if (unit < 0xDC00 && Unit(text, at + 6) is >= 0xDC00 and <= 0xDFFF) at += 12;
            else return at;
        }
    }

    /// <summary>The number of the escape <c>\uXXXX</c> that begins here, or -1.</summary>
    private static int Unit(ReadOnlySpan<byte> text, int at)
    {
        if (text.Length - at < 6 || text[at] != '\\' || text[at + 1] != 'u') return -1;
        var unit = 0;
        foreach (var digit in text.Slice(at + 2, 4))
        {
            if (!char.IsAsciiHexDigit((char)digit)) return -1;
            unit = unit << 4 | (digit <= '9' ? digit - '0' : (digit | 0x20) - 'a' + 10);
        }
        return unit;
    }
}
