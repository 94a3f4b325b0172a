using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text;

namespace OrleansEvents.Streams;

/// <summary>
/// An event's type: 1 to 100 printable characters. Inside, it is the UTF-8 content of a JSON string in which only
/// <c>"</c> and <c>\</c> are escaped, so that equal types have equal bytes.
/// </summary>
public static class EventType
{
    /// <summary>Characters (Unicode scalar values) of a type at most.</summary>
    public const int MaxLength = 100;

    /// <summary>Bytes of a type's canonical text at most.</summary>
    public const int MaxBytes = MaxLength * 4;

    internal const string Rule = "1 to 100 printable characters";

    /// <summary>The canonical bytes of a type as people write it; false if it is no type.</summary>
    public static bool TryEncode(ReadOnlySpan<char> type, [NotNullWhen(true)] out byte[]? canonical)
    {
        canonical = null;
        if (type.Length > 2 * MaxLength) return false;
        // The framework's encoder replaces halves of surrogate pairs; here they are refused.
        Span<byte> utf8 = stackalloc byte[8 * MaxLength];
        if (System.Text.Unicode.Utf8.FromUtf16(type, utf8, out _, out var length, replaceInvalidSequences: false)
            != OperationStatus.Done || !IsPrintable(utf8[..length])) return false;
        Span<byte> escaped = stackalloc byte[2 * length];
        canonical = escaped[..Escape(utf8[..length], escaped)].ToArray();
        return true;
    }

    /// <summary>Whether unescaped, valid UTF-8 is a type.</summary>
    internal static bool IsPrintable(ReadOnlySpan<byte> utf8)
    {
        if (utf8.IsEmpty || utf8.Length > MaxBytes) return false;
        if (utf8.IndexOfAnyExceptInRange((byte)' ', (byte)'~') < 0) return utf8.Length <= MaxLength;
        var count = 0;
        while (!utf8.IsEmpty)
        {
            if (Rune.DecodeFromUtf8(utf8, out var rune, out var bytes) != OperationStatus.Done) return false;
            if (!IsPrintable(rune) || ++count > MaxLength) return false;
            utf8 = utf8[bytes..];
        }
        return true;
    }

    /// <summary>Escapes the two characters that a JSON string must, into up to twice the bytes.</summary>
    internal static int Escape(ReadOnlySpan<byte> utf8, Span<byte> to)
    {
        var length = 0;
        foreach (var b in utf8)
        {
            if (b is (byte)'"' or (byte)'\\') to[length++] = (byte)'\\';
            to[length++] = b;
        }
        return length;
    }

    private static bool IsPrintable(Rune rune) => Rune.GetUnicodeCategory(rune) is not (
        UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.Surrogate
        or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator);
}
