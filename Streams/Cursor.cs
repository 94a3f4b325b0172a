using System.Buffers.Binary;
using System.Buffers.Text;
using System.Text;

namespace OrleansEvents.Streams;

/// <summary>
/// A position on one stream's line: everything up to <see cref="Seq"/> has been passed, as numbered by the opening
/// <see cref="Epoch"/>. Its text is always 20 characters of base64url: 8 bytes of epoch, 7 of seq, big-endian.
/// </summary>
public readonly record struct Cursor(ulong Epoch, long Seq)
{
    /// <summary>Characters of a cursor's text.</summary>
    public const int TextLength = 20;

    /// <summary>The first number that no event can have: 2^53, the end of JSON's exact integers.</summary>
    public const long SeqLimit = 1L << 53;

    private const int ByteLength = 15;

    /// <summary>Writes the text into the first 20 bytes of <paramref name="utf8"/>.</summary>
    public void Format(Span<byte> utf8)
    {
        Span<byte> bytes = stackalloc byte[16];
        BinaryPrimitives.WriteUInt64BigEndian(bytes[7..], (ulong)Seq);
        BinaryPrimitives.WriteUInt64BigEndian(bytes, Epoch);
        // The seq's top byte was overwritten by the epoch's last: a seq below 2^53 leaves it zero.
        Base64Url.EncodeToUtf8(bytes[..ByteLength], utf8);
    }

    /// <summary>Reads a cursor's text; false for anything that is not exactly one.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, out Cursor cursor)
    {
        cursor = default;
        if (text.Length != TextLength) return false;
        Span<byte> bytes = stackalloc byte[16];
        if (!IsText(text) || !Base64Url.TryDecodeFromChars(text, bytes, out var written) || written != ByteLength)
            return false;
        var epoch = BinaryPrimitives.ReadUInt64BigEndian(bytes);
        bytes[7] = 0;
        var seq = (long)BinaryPrimitives.ReadUInt64BigEndian(bytes[7..]);
        if (seq >= SeqLimit) return false;
        cursor = new Cursor(epoch, seq);
        return true;
    }

    /// <summary>Whether the text has only the characters that any cursor may have.</summary>
    public static bool IsText(ReadOnlySpan<char> text)
    {
        foreach (var c in text)
            if (!char.IsAsciiLetterOrDigit(c) && c is not ('-' or '_')) return false;
        return text.Length > 0;
    }

    /// <summary>The text: 20 characters of base64url.</summary>
    public override string ToString()
    {
        Span<byte> utf8 = stackalloc byte[TextLength];
        Format(utf8);
        return Encoding.ASCII.GetString(utf8);
    }
}
