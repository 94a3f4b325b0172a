using System.Runtime.CompilerServices;

namespace OrleansEvents.Tests.Tidy;

/// <summary>The project's own files, found from where this one was compiled.</summary>
internal static class SourceTree
{
    private static readonly string[] s_notOurs = ["artifacts", "bin", "obj", "node_modules", ".git", "data"];

    public static string Root { get; } = FindRoot();

    /// <summary>Files with one of these endings, relative to the root, with forward slashes.</summary>
    public static IEnumerable<string> Files(params string[] endings) => Walk(Root)
        .Where(file => endings.Any(ending => file.EndsWith(ending, StringComparison.Ordinal)))
        .Select(file => Path.GetRelativePath(Root, file).Replace('\\', '/'));

    public static string Read(string file) => File.ReadAllText(Path.Combine(Root, file));

    private static IEnumerable<string> Walk(string folder) => Directory.EnumerateFiles(folder)
        .Concat(Directory.EnumerateDirectories(folder)
            .Where(each => !s_notOurs.Contains(Path.GetFileName(each)))
            .SelectMany(Walk));

    private static string FindRoot([CallerFilePath] string here = "")
    {
        var folder = Path.GetDirectoryName(here);
        while (folder is not null && !File.Exists(Path.Combine(folder,
            "OrleansEvents.sln"))) folder = Path.GetDirectoryName(folder);
        return folder ?? throw new InvalidOperationException("The source tree is not where the tests were compiled.");
    }
}
