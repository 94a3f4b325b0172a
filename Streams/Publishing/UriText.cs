using System.Buffers;

namespace OrleansEvents.Streams;

/// <summary>Whether a text can be a URI, by its characters: those beyond ASCII are left to who reads it.</summary>
internal static class UriText
{
    private static readonly SearchValues<byte> s_never = SearchValues.Create(" \"<>\\^`{|}"u8);

    /// <summary>A URI or a reference to one, not empty.</summary>
    public static bool IsReference(ReadOnlySpan<byte> utf8)
    {
        if (utf8.IsEmpty || utf8.ContainsAny(s_never)) return false;
        while (utf8.IndexOf((byte)'%') is >= 0 and var at)
        {
            utf8 = utf8[(at + 1)..];
            if (utf8.Length < 2 || !char.IsAsciiHexDigit((char)utf8[0]) || !char.IsAsciiHexDigit((char)utf8[1]))
                return false;
        }
        return true;
    }

    /// <summary>A reference that begins with a scheme.</summary>
    public static bool IsAbsolute(ReadOnlySpan<byte> utf8)
    {
        var end = utf8.IndexOf((byte)':');
        if (end < 1 || !char.IsAsciiLetter((char)utf8[0]) || !IsReference(utf8)) return false;
        foreach (var b in utf8[..end])
            if (!char.IsAsciiLetterOrDigit((char)b) && b is not ((byte)'+' or (byte)'-' or (byte)'.')) return false;
        return true;
    }
}
