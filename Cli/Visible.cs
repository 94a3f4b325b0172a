using System.Globalization;
using System.Text;

namespace OrleansEvents.Cli;

internal static class Visible
{
    /// <summary>
    /// Text with its control characters written out: what somebody published must not drive the reader's terminal,
    /// and one event stays one line.
    /// </summary>
    public static string Text(string text)
    {
        if (!text.Any(IsControl))
            return text;
        var visible = new StringBuilder(text.Length + 16);
        foreach (var character in text)
        {
            if (IsControl(character))
                visible.Append(CultureInfo.InvariantCulture, $"\\u{(int)character:x4}");
            else
                visible.Append(character);
        }
        return visible.ToString();
    }

    private static bool IsControl(char character) => char.IsControl(character) && character != '\t';
}
