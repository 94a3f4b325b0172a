using System.Text.RegularExpressions;
using OrleansEvents.Tests.Host;

namespace OrleansEvents.Tests.Docs;

/// <summary>The repository's documents and source files, as the tests of this folder look at them.</summary>
internal static partial class Documents
{
    private static readonly string[] s_made = ["artifacts", "bin", "obj", "node_modules", ".git"];

    public static string Root { get; } = Path.GetDirectoryName(Given.RepositoryFile("README.md"))!;

    public static IEnumerable<string> All => Files("*.md");

    public static string Read(string path) => File.ReadAllText(Path.Combine(Root, path));

    /// <summary>Files of the repository, not of what is built.</summary>
    public static IEnumerable<string> Files(string pattern) =>
        Directory.EnumerateFiles(Root, pattern, new EnumerationOptions { RecurseSubdirectories = true,
            AttributesToSkip = 0 })
            .Where(file => !Path.GetRelativePath(Root, file).Split(Path.DirectorySeparatorChar).Any(s_made.Contains));

    /// <summary>The content of fenced blocks of one language.</summary>
    public static IEnumerable<string> Blocks(string text, string language) => Fences().Matches(text)
        .Where(match => match.Groups[1].Value == language).Select(match => match.Groups[2].Value);

    /// <summary>What stands between backticks on a line, outside of blocks.</summary>
    public static IEnumerable<string> Quoted(string text) =>
        Quotes().Matches(Fences().Replace(text, "")).Select(match => match.Groups[1].Value);

    [GeneratedRegex(@"^```(\w*)\n(.*?)^```$", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Fences();

    [GeneratedRegex("`([^`\n]+)`")]
    private static partial Regex Quotes();
}
