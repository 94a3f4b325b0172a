using System.Diagnostics.CodeAnalysis;

namespace OrleansEvents.Streams;

/// <summary>
/// A set of streams by name: <c>*</c> stands for one token, <c>&gt;</c> at the end for one token or more, and a plain
/// name for itself. Only a pattern whose first token begins with <c>$</c> matches the server's own streams.
/// </summary>
public sealed record StreamPattern
{
    /// <summary>Patterns in a list at most; more are INVALID_INPUT.</summary>
    public const int MaxPatterns = 100;

    private StreamPattern(string text)
    {
        Text = text;
        var wildcard = text.AsSpan().IndexOfAny('*', '>');
        HasWildcard = wildcard >= 0;
        LiteralPrefix = HasWildcard ? text[..wildcard] : text;
    }

    /// <summary>The pattern as it was written.</summary>
    public string Text { get; }

    /// <summary>Whether it can match more than the one name it spells.</summary>
    public bool HasWildcard { get; }

    /// <summary>What every matching name begins with: the text up to the first wildcard, dot included.</summary>
    public string LiteralPrefix { get; }

    /// <summary>Whether a stream's valid name is in the set. Allocates nothing.</summary>
    public bool Matches(ReadOnlySpan<char> stream)
    {
        if (!stream.StartsWith(LiteralPrefix, StringComparison.Ordinal)) return false;
        if (!HasWildcard) return stream.Length == LiteralPrefix.Length;
        if (LiteralPrefix.Length == 0 && StreamName.IsServerOwn(stream)) return false;
        return Matches(Text.AsSpan(LiteralPrefix.Length), stream[LiteralPrefix.Length..]);
    }

    /// <summary>Reads one pattern; a bad one is INVALID_INPUT.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, [NotNullWhen(true)] out StreamPattern? pattern,
        out Refusal refusal)
    {
        (pattern, refusal) = (null, default);
        if (IsPattern(text)) pattern = new StreamPattern(text.ToString());
        else refusal = new Refusal(ErrorCode.InvalidInput, $"\"{StreamName.Shown(text)}\" is neither a stream's name "
            + "nor a pattern: in a pattern * stands for one whole token and > for the rest, at the end only.");
        return pattern is not null;
    }

    /// <summary>
    /// Reads patterns joined by commas, without repetitions; an empty list, more than <see cref="MaxPatterns"/> or a
    /// bad pattern is INVALID_INPUT.
    /// </summary>
    public static bool TryParseList(ReadOnlySpan<char> text, out IReadOnlyList<StreamPattern> patterns,
        out Refusal refusal)
    {
        var list = new List<StreamPattern>();
        patterns = list;
        foreach (var range in text.Split(','))
        {
            if (!TryParse(text[range], out var pattern, out refusal)) return false;
            if (list.Contains(pattern)) continue;
            if (list.Count == MaxPatterns)
            {
                refusal = new Refusal(ErrorCode.InvalidInput, $"More than {MaxPatterns} streams and patterns.");
                return false;
            }
            list.Add(pattern);
        }
        refusal = default;
        return true;
    }

    /// <summary>The pattern as it was written.</summary>
    public override string ToString() => Text;

    private static bool IsPattern(ReadOnlySpan<char> text)
    {
        if (text.Length > StreamName.MaxLength) return false;
        if (StreamName.IsServerOwn(text))
        {
            // Behind $ there must be a name: neither a wildcard nor nothing.
            text = text[1..];
            if (text.StartsWith('*') || text.StartsWith('>')) return false;
        }
        foreach (var range in text.Split('.'))
        {
            var token = text[range];
            if (token is "*" || (token is ">" && range.End.Value == text.Length)) continue;
            if (!StreamName.IsToken(token)) return false;
        }
        return true;
    }

    private static bool Matches(ReadOnlySpan<char> pattern, ReadOnlySpan<char> stream)
    {
        while (true)
        {
            if (stream.IsEmpty) return false;
            if (pattern is ">") return true;
            var (mine, its) = (TokenLength(pattern), TokenLength(stream));
            if (pattern[..mine] is not "*" && !pattern[..mine].SequenceEqual(stream[..its])) return false;
            var (mineEnds, itsEnds) = (mine == pattern.Length, its == stream.Length);
            if (mineEnds || itsEnds) return mineEnds && itsEnds;
            pattern = pattern[(mine + 1)..];
            stream = stream[(its + 1)..];
        }
    }

    private static int TokenLength(ReadOnlySpan<char> text)
    {
        var dot = text.IndexOf('.');
        return dot < 0 ? text.Length : dot;
    }
}
