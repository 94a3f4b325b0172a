using System.Text.RegularExpressions;
using Xunit;

namespace OrleansEvents.Tests.Docs;

/// <summary>Documents name only what is there.</summary>
public sealed partial class QuotedNamesTests
{
    private static readonly Dictionary<string, string> s_sources = Documents.Files("*.cs")
        .GroupBy(Path.GetFileName).ToDictionary(same => same.Key!, same => string.Join('\n',
            same.Select(File.ReadAllText)));

    private static readonly string s_source = string.Join('\n', s_sources.Values);

    [Fact]
    public void Every_link_inside_the_repository_leads_somewhere()
    {
        var broken =
            from document in Documents.All
            from match in Links().Matches(File.ReadAllText(document))
            let target = match.Groups[1].Value.Split('#')[0]
            where target.Length > 0 && !target.Contains("://", StringComparison.Ordinal)
            let path = Path.Combine(Path.GetDirectoryName(document)!, target)
            where !Path.Exists(path)
            select $"{Path.GetRelativePath(Documents.Root, document)}: {target}";
        Assert.Empty(broken);
    }

    [Fact]
    public void Every_source_file_that_a_document_names_is_there()
    {
        var missing = Documents.All.SelectMany(document => Documents.Quoted(File.ReadAllText(document)))
            .Where(quoted => quoted.EndsWith(".cs", StringComparison.Ordinal) && !s_sources.ContainsKey(quoted));
        Assert.Empty(missing);
    }

    [Theory]
    [InlineData("docs/one-event.md", 25)]
    [InlineData("docs/architecture.md", 12)]
    [InlineData("docs/decisions/parked-copies.md", 2)]
    [InlineData("docs/decisions/attempts-once-a-second.md", 1)]
    [InlineData("docs/decisions/line-and-beside.md", 2)]
    [InlineData("docs/decisions/webhook-connection.md", 1)]
    [InlineData("docs/decisions/two-engines.md", 2)]
    [InlineData("docs/decisions/two-ways-out.md", 1)]
    [InlineData("docs/decisions/h2c-by-reflection.md", 1)]
    public void Every_method_that_a_document_names_is_in_its_type(string document, int atLeast)
    {
        var named = Documents.Quoted(Documents.Read(document)).Select(quoted => Member().Match(quoted))
            .Where(match => match.Success && match.Groups[2].Value != "cs").ToList();
        Assert.All(named, match => Assert.True(
            IsIn(match.Groups[1].Value, match.Groups[2].Value), $"{match.Value} is not in the source"));
        Assert.True(named.Count >= atLeast, $"{named.Count} names found");
    }

    [Fact]
    public void A_hop_names_a_file_that_holds_its_method()
    {
        var hops = Hops().Matches(Documents.Read("docs/one-event.md"));
        Assert.Equal(Enumerable.Range(1, 20), hops.Select(hop => int.Parse(hop.Groups[1].Value, null)));
        Assert.All(hops, hop => Assert.True(
            Declares(s_sources[hop.Groups[2].Value], hop.Groups[3].Value),
                $"{hop.Value}: no such method in this file"));
    }

    /// <summary>The files of a type are those that declare it; a partial type has several.</summary>
    private static bool IsIn(string type, string member) => s_sources.Values.Any(text =>
        Regex.IsMatch(text, $@"\b(class|struct|interface|enum|record) {type}\b") && Declares(text, member));

    private static bool Declares(string text, string member) =>
        Regex.IsMatch(text, $@"^\s+[^/\n]*\b{member}\b(<\w+>)?\s*(\(|=|\{{|,|$)", RegexOptions.Multiline);

    [Fact]
    public void Every_type_that_the_architecture_names_is_there()
    {
        var types = Documents.Quoted(Documents.Read("docs/architecture.md") + Documents.Read("CONTRIBUTING.md"))
            .Where(quoted => TypeName().IsMatch(quoted)).Distinct().ToList();
        Assert.NotEmpty(types);
        Assert.All(types, type => Assert.True(Regex.IsMatch(s_source, $@"\b{type}\b"), $"{type} is not in the source"));
    }

    [GeneratedRegex(@"\]\(([^)\s]+)\)")]
    private static partial Regex Links();

    [GeneratedRegex(@"^([A-Z]\w+)\.([A-Z]\w+)$")]
    private static partial Regex Member();

    [GeneratedRegex("^[A-Z][a-z]+[A-Z]\\w+$")]
    private static partial Regex TypeName();

    [GeneratedRegex(@"^\| (\d+) \| `([\w.]+\.cs)` `\w+\.(\w+)`", RegexOptions.Multiline)]
    private static partial Regex Hops();
}
