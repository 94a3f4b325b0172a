namespace OrleansEvents.Streams;

/// <summary>
/// Names of streams and subscribers. A stream's name is tokens of <c>A-Z a-z 0-9 _ -</c> joined by dots; its first
/// token may begin with <c>$</c>, which makes the stream the server's own. A subscriber's name is one token.
/// </summary>
public static class StreamName
{
    /// <summary>Characters of a stream's name at most; a longer one is INVALID_INPUT.</summary>
    public const int MaxLength = 200;

    /// <summary>Characters of a subscriber's name at most; a longer one is INVALID_INPUT.</summary>
    public const int MaxSubscriberLength = 100;

    private const string Rule =
        "tokens of A-Z a-z 0-9 _ - joined by dots, 200 characters at most, only the first may begin with $";

    /// <summary>Whether the text is a stream's name.</summary>
    public static bool IsValid(ReadOnlySpan<char> name)
    {
        if (name.Length > MaxLength) return false;
        if (IsServerOwn(name)) name = name[1..];
        foreach (var token in name.Split('.'))
            if (!IsToken(name[token])) return false;
        return true;
    }

    /// <summary>Whether the stream is the server's own: its name begins with <c>$</c>.</summary>
    public static bool IsServerOwn(ReadOnlySpan<char> name) => name.StartsWith('$');

    /// <summary>Whether the text is a subscriber's name: one token of 1 to 100 characters.</summary>
    public static bool IsValidSubscriber(ReadOnlySpan<char> name) =>
        name.Length <= MaxSubscriberLength && IsToken(name);

    /// <summary>What is wrong with a stream's name (INVALID_INPUT), or null.</summary>
    public static Refusal? Check(ReadOnlySpan<char> name) => IsValid(name) ? null : new Refusal(
        ErrorCode.InvalidInput, $"\"{Shown(name)}\" is not a stream's name: {Rule}.");

    /// <summary>What is wrong with a subscriber's name (INVALID_INPUT), or null.</summary>
    public static Refusal? CheckSubscriber(ReadOnlySpan<char> name) => IsValidSubscriber(name) ? null : new Refusal(
        ErrorCode.InvalidInput,
        $"\"{Shown(name)}\" is not a subscriber's name: 1 to 100 characters of A-Z a-z 0-9 _ -.");

    internal static bool IsToken(ReadOnlySpan<char> token) => Cursor.IsText(token);

    /// <summary>Text of a client as a refusal may repeat it: short, and without control characters or halves of
    /// surrogate pairs.</summary>
    internal static string Shown(ReadOnlySpan<char> text)
    {
        const int most = 60;
        var shown = text.Length > most ? string.Concat(text[..most], "…") : text.ToString();
        return string.Create(shown.Length, shown, static (to, from) =>
        {
            for (var i = 0; i < to.Length; i++)
                to[i] = char.IsControl(from[i]) || char.IsSurrogate(from[i]) ? '?' : from[i];
        });
    }
}
