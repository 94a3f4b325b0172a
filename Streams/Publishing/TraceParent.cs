using System.Buffers;
using System.Text;

namespace OrleansEvents.Streams;

/// <summary>The W3C trace context of a publish, as an event carries it on: <c>00-TRACE-PARENT-FLAGS</c>.</summary>
public static class TraceParent
{
    /// <summary>Bytes of a trace context of version 00; an event never carries another.</summary>
    public const int Length = 55;

    /// <summary>Bytes of the event's member: <c>,"traceparent":"…"</c>.</summary>
    internal const int MemberLength = Length + 17;

    private static readonly SearchValues<byte> s_hex = SearchValues.Create("0123456789abcdef"u8);

    private const int TraceStart = 3;
    private const int ParentStart = 36;
    private const int FlagsStart = 53;

    /// <summary>Writes a trace context into <see cref="Length"/> bytes; false when it is malformed, which W3C wants
    /// ignored. Of a version above 00 it takes what 00 knows.</summary>
    public static bool TryWrite(ReadOnlySpan<byte> text, Span<byte> to)
    {
        if (text.Length < Length || text[2] != '-' || text[ParentStart - 1] != '-' || text[FlagsStart - 1] != '-')
            return false;
        var version = text[..2];
        var trace = text[TraceStart..(ParentStart - 1)];
        var parent = text[ParentStart..(FlagsStart - 1)];
        var flags = text[FlagsStart..Length];
        if (!IsHex(version) || !IsHex(trace) || !IsHex(parent) || !IsHex(flags)) return false;
        if (version.SequenceEqual("ff"u8) || IsZero(trace) || IsZero(parent)) return false;
        var known = version.SequenceEqual("00"u8);
        if (text.Length > Length && (known || text[Length] != '-')) return false;
        text[..Length].CopyTo(to);
        if (known) return true;
        "00"u8.CopyTo(to);
        // The only flag that is the same in every version.
        to[FlagsStart] = (byte)'0';
        to[FlagsStart + 1] = (Digit(flags[1]) & 1) == 1 ? (byte)'1' : (byte)'0';
        return true;
    }

    /// <summary>A header's value as events carry it; empty when it is malformed.</summary>
    internal static ReadOnlyMemory<byte> Of(ReadOnlySpan<char> header)
    {
        if (header.Length is < Length or > 512 || !Ascii.IsValid(header)) return default;
        Span<byte> text = stackalloc byte[header.Length];
        Ascii.FromUtf16(header, text, out _);
        var written = new byte[Length];
        return TryWrite(text, written) ? written : default;
    }

    private static bool IsHex(ReadOnlySpan<byte> text) => !text.ContainsAnyExcept(s_hex);

    private static bool IsZero(ReadOnlySpan<byte> text) => !text.ContainsAnyExcept((byte)'0');

    private static int Digit(byte hex) => hex <= '9' ? hex - '0' : hex - 'a' + 10;
}
