using System.Text.RegularExpressions;
using System.Xml.Linq;
using Xunit;

namespace OrleansEvents.Tests.Tidy;

/// <summary>The house style, as far as a program can hold it.</summary>
public sealed partial class TidyTests
{
    private const int MostFileLines = 400;
    private const int MostMethodLines = 60;
    private const int MostLineLength = 120;

    [Fact]
    public void Files_are_short() => None(SourceTree.Files(".cs")
        .Where(file => SourceTree.Read(file).Split('\n').Length - 1 > MostFileLines));

    [Fact]
    public void Lines_are_short() => None(SourceTree.Files(".cs")
        .SelectMany(file => SourceTree.Read(file).Split('\n').Select((line, index) => (line,
            place: $"{file}:{index + 1}")))
        .Where(each => each.line.Length > MostLineLength)
        .Select(each => each.place));

    [Fact]
    public void Methods_are_short() => None(SourceTree.Files(".cs").SelectMany(LongMethods));

    [Fact]
    public void Dependencies_point_one_way()
    {
        var allowed = new Dictionary<string, string[]>
        {
            ["Streams"] = [],
            ["Storage"] = ["Streams"],
            ["Grains.Interfaces"] = ["Streams"],
            ["Grains"] = ["Grains.Interfaces", "Streams"],
            ["Api"] = ["Storage", "Streams"],
            ["Silo"] = ["Api", "Grains", "Grains.Interfaces", "Storage", "Streams"],
            ["Client"] = [],
            ["Cli"] = ["Client"],
        };
        foreach (var file in SourceTree.Files(".csproj"))
        {
            var project = Path.GetFileNameWithoutExtension(file);
            if (!allowed.TryGetValue(project, out var others)) continue;
            var references = XDocument.Parse(SourceTree.Read(file)).Descendants("ProjectReference")
                .Select(each => Path.GetFileNameWithoutExtension(each.Attribute("Include")!.Value));
            None(references.Except(others).Select(other => $"{project} references {other}"));
        }
    }

    [Fact]
    public void Streams_needs_no_package() => Assert.DoesNotContain("PackageReference",
        SourceTree.Read("Streams/Streams.csproj"), StringComparison.Ordinal);

    [Fact]
    public void Only_the_cluster_needs_Orleans() => None(SourceTree.Files(".csproj")
        .Where(file => SourceTree.Read(file).Contains("Microsoft.Orleans", StringComparison.Ordinal))
        .Where(file => !OrleansProject().IsMatch(file)));

    [Fact]
    public void Only_the_engine_knows_the_storage() => None(SourceTree.Files(".cs")
        .Where(file => file.StartsWith("Api/", StringComparison.Ordinal)
            && !file.StartsWith("Api/Embedded/", StringComparison.Ordinal))
        .Where(file => SourceTree.Read(file).Contains("OrleansEvents.Storage", StringComparison.Ordinal)));

    [Fact]
    public void Types_are_called_by_the_contracts_words() => None(SourceTree.Files(".cs")
        .Where(file => !file.StartsWith("Tests", StringComparison.Ordinal) && !file.StartsWith("bench/",
            StringComparison.Ordinal))
        .SelectMany(file => TypeName().Matches(SourceTree.Read(file)).Select(match =>
            $"{file}: {match.Groups[1].Value}"))
        .Where(name => Banned().IsMatch(name.Split(": ")[1])));

    [Fact]
    public void Nothing_is_left_to_be_done_later() => None(SourceTree.Files(".cs", ".md", ".js", ".c")
        .Where(file => Unfinished().IsMatch(SourceTree.Read(file))));

    private static void None(IEnumerable<string> offenders) => Assert.Equal([],
        offenders.Order(StringComparer.Ordinal));

    /// <summary>Member bodies: from an opening brace of its own line to the closing one at the same depth.</summary>
    private static IEnumerable<string> LongMethods(string file)
    {
        var lines = SourceTree.Read(file).Split('\n');
        for (var i = 1; i < lines.Length; i++)
        {
            var indent = lines[i].Length - lines[i].TrimStart().Length;
            if (lines[i].Trim() != "{" || !lines[i - 1].TrimEnd().EndsWith(')') || Statement().IsMatch(lines[i - 1])
                || lines[i - 1].Contains(" = new", StringComparison.Ordinal)
                || lines[Math.Max(0, i - 4)..i].Any(line => TypeName().IsMatch(line))) continue;
            var close = new string(' ', indent) + "}";
            var end = Array.FindIndex(lines, i, line => line.TrimEnd() == close);
            if (end - i - 1 > MostMethodLines) yield return $"{file}:{i + 1}: {end - i - 1} lines";
        }
    }

    [GeneratedRegex(@"^(Grains\.Interfaces|Grains|Silo|Tests\.Cluster|bench/Cluster)/")]
    private static partial Regex OrleansProject();

    [GeneratedRegex(@"\b(?:class|struct|record|interface|enum)\s+(?:struct\s+)?([A-Z]\w+)")]
    private static partial Regex TypeName();

    [GeneratedRegex("Manager|Helper|Utils|Service|Topic|Consumer|Producer|^StreamId$")]
    private static partial Regex Banned();

    [GeneratedRegex(@"\b(TO" + @"DO|FIX" + @"ME|HAC" + @"K)\b|NotImplemented" + "Exception")]
    private static partial Regex Unfinished();

    [GeneratedRegex(@"^\s*(if|for|foreach|while|switch|using|lock|else)\b")]
    private static partial Regex Statement();
}
