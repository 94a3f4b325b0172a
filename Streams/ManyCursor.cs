using System.Buffers;
using System.Buffers.Text;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;

namespace OrleansEvents.Streams;

/// <summary>
/// A position on many streams at once, as readers of lists and patterns carry it: a cursor for each stream, or, when
/// those would make too long a text, a server time up to which all had been passed. Opaque text of
/// <c>A-Z a-z 0-9 _ -</c>: <c>m</c> and base64url of the cursors, or <c>s</c> and Unix milliseconds. It is never 20
/// characters long, which only one stream's <see cref="Cursor"/> is, and never <c>0</c>.
/// </summary>
/// <remarks>
/// Behind the <c>m</c>, for each stream in ordinal order of the names: how many characters the name begins with as
/// the one before it (a byte); how many are its own (4 bits; 15: in a byte that follows) and how many it ends with
/// alike (4 bits); its own; the epoch (8 bytes, big-endian); the seq (7 bits a byte, lowest first, the top bit set on
/// all but the last). One zero byte more where the text would have 20 characters.
/// </remarks>
public sealed class ManyCursor
{
    /// <summary>Characters of the text at most, unless a caller asks for fewer.</summary>
    public const int MaxTextLength = 4096;

    private const char PositionsKind = 'm';
    private const char TimeKind = 's';
    private const int MaxTimeDigits = 15;

    /// <summary>The length at which a text would be taken for one stream's cursor, without the kind.</summary>
    private const int AmbiguousBytes = 14;

    /// <summary>Lengthens such a text. No other begins so: the first name shares nothing with one before it.</summary>
    private const byte Padding = 0xFF;

    private const int MaxNibble = 15;

    private readonly KeyValuePair<string, Cursor>[] _positions;

    private ManyCursor(KeyValuePair<string, Cursor>[] positions, long? timeMs) =>
        (_positions, TimeMs) = (positions, timeMs);

    /// <summary>Unix milliseconds up to which everything had been passed; null: there are positions.</summary>
    public long? TimeMs { get; }

    /// <summary>A cursor for each stream, in ordinal order of the names; empty when there is a time.</summary>
    public IReadOnlyList<KeyValuePair<string, Cursor>> Positions => _positions;

    /// <summary>The position on one stream; false for one that had not been seen, and when there is a time.</summary>
    public bool TryFind(string stream, out Cursor cursor)
    {
        var (low, high) = (0, _positions.Length - 1);
        while (low <= high)
        {
            var middle = (low + high) >>> 1;
            var order = string.CompareOrdinal(_positions[middle].Key, stream);
            cursor = _positions[middle].Value;
            if (order == 0) return true;
            (low, high) = order < 0 ? (middle + 1, high) : (low, middle - 1);
        }
        cursor = default;
        return false;
    }

    /// <summary>
    /// The text for these positions (valid names, each once), or for <paramref name="nowMs"/> if it would pass
    /// <paramref name="maxLength"/> characters. The time must be one at which all positions had been reached.
    /// </summary>
    public static string Format(IEnumerable<KeyValuePair<string, Cursor>> positions, long nowMs,
        int maxLength = MaxTextLength)
    {
        var sorted = positions.ToArray();
        Array.Sort(sorted, static (a, b) => string.CompareOrdinal(a.Key, b.Key));
        var maxBytes = Base64Url.GetMaxDecodedLength(Math.Max(0, maxLength - 1));
        var bytes = new List<byte>(Math.Min(maxBytes, sorted.Length * 24));
        var previous = "";
        foreach (var (name, cursor) in sorted)
        {
            Write(bytes, previous, name, cursor);
            if (bytes.Count > maxBytes) return FormatTime(nowMs);
            previous = name;
        }
        if (bytes.Count == AmbiguousBytes) bytes.Insert(0, Padding);
        var text = PositionsKind + Base64Url.EncodeToString(CollectionsMarshal.AsSpan(bytes));
        return text.Length <= maxLength ? text : FormatTime(nowMs);
    }

    /// <summary>The text for a time, Unix milliseconds.</summary>
    public static string FormatTime(long unixMs) => TimeKind + unixMs.ToString("D", CultureInfo.InvariantCulture);

    /// <summary>Reads a text; false for anything that <see cref="Format"/> does not write, and for one longer than
    /// <paramref name="maxLength"/>. Never throws, and takes memory in proportion to the text.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, [NotNullWhen(true)] out ManyCursor? cursor,
        int maxLength = MaxTextLength)
    {
        cursor = null;
        if (text.IsEmpty || text.Length > maxLength || text.Length == Cursor.TextLength) return false;
        if (text[0] == TimeKind) cursor = ParseTime(text[1..]);
        else if (text[0] == PositionsKind) cursor = ParsePositions(text[1..]);
        return cursor is not null;
    }

    private static ManyCursor? ParseTime(ReadOnlySpan<char> digits)
    {
        if (digits.IsEmpty || digits.Length > MaxTimeDigits || digits.ContainsAnyExceptInRange('0', '9')) return null;
        if (digits[0] == '0' && digits.Length > 1) return null;
        return new ManyCursor([], long.Parse(digits, NumberStyles.None, CultureInfo.InvariantCulture));
    }

    private static ManyCursor? ParsePositions(ReadOnlySpan<char> text)
    {
        if (text.IsEmpty) return new ManyCursor([], null);
        // The decoder itself would pass over white space and padding.
        if (!Cursor.IsText(text)) return null;
        Span<byte> bytes = new byte[Base64Url.GetMaxDecodedLength(text.Length)];
        // Not TryDecodeFromChars: it throws for a text that is cut off.
        if (Base64Url.DecodeFromChars(text, bytes, out _, out var length) != OperationStatus.Done) return null;
        ReadOnlySpan<byte> rest = bytes[..length];
        if (length == AmbiguousBytes + 1 && rest[0] == Padding) rest = rest[1..];
        var positions = new List<KeyValuePair<string, Cursor>>();
        var previous = "";
        while (!rest.IsEmpty)
        {
            if (Read(ref rest, previous) is not { } position) return null;
            positions.Add(position);
            previous = position.Key;
        }
        return new ManyCursor([.. positions], null);
    }

    private static void Write(List<byte> bytes, string previous, string name, Cursor cursor)
    {
        var start = previous.AsSpan().CommonPrefixLength(name);
        var end = CommonSuffixLength(previous.AsSpan(start), name.AsSpan(start));
        var own = name.AsSpan(start, name.Length - start - end);
        bytes.Add((byte)start);
        bytes.Add((byte)(Math.Min(own.Length, MaxNibble) << 4 | end));
        if (own.Length >= MaxNibble) bytes.Add((byte)own.Length);
        foreach (var c in own) bytes.Add((byte)c);
        for (var shift = 56; shift >= 0; shift -= 8) bytes.Add((byte)(cursor.Epoch >> shift));
        var seq = (ulong)cursor.Seq;
        for (; seq > 0x7F; seq >>= 7) bytes.Add((byte)(seq | 0x80));
        bytes.Add((byte)seq);
    }

    private static int CommonSuffixLength(ReadOnlySpan<char> a, ReadOnlySpan<char> b)
    {
        var length = 0;
        while (length < Math.Min(MaxNibble, Math.Min(a.Length, b.Length)) && a[^(length + 1)] == b[^(length + 1)])
            length++;
        return length;
    }

    private static KeyValuePair<string, Cursor>? Read(ref ReadOnlySpan<byte> rest, string previous)
    {
        if (ReadName(ref rest, previous) is not { } name || rest.Length < 8) return null;
        ulong epoch = 0;
        foreach (var b in rest[..8]) epoch = epoch << 8 | b;
        rest = rest[8..];
        return TryReadSeq(ref rest, out var seq) ? new(name, new Cursor(epoch, seq)) : null;
    }

    private static string? ReadName(ref ReadOnlySpan<byte> rest, string previous)
    {
        if (rest.Length < 3) return null;
        var (start, own, end) = (rest[0], rest[1] >> 4, rest[1] & MaxNibble);
        rest = rest[2..];
        if (own == MaxNibble)
        {
            own = rest[0];
            rest = rest[1..];
        }
        if (start > previous.Length || end > previous.Length || own > rest.Length) return null;
        if (start + own + end > StreamName.MaxLength) return null;
        Span<char> name = stackalloc char[start + own + end];
        previous.AsSpan(0, start).CopyTo(name);
        Encoding.Latin1.GetChars(rest[..own], name[start..]);
        previous.AsSpan(previous.Length - end).CopyTo(name[(start + own)..]);
        rest = rest[own..];
        // Ascending order also makes each name come once.
        return StreamName.IsValid(name) && name.SequenceCompareTo(previous) > 0 ? name.ToString() : null;
    }

    private static bool TryReadSeq(ref ReadOnlySpan<byte> rest, out long seq)
    {
        seq = 0;
        for (var shift = 0; shift < 56 && !rest.IsEmpty; shift += 7)
        {
            var b = rest[0];
            rest = rest[1..];
            seq |= (long)(b & 0x7F) << shift;
            if (b < 0x80) return seq < Cursor.SeqLimit;
        }
        return false;
    }
}
