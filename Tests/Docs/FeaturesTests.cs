using System.Reflection;
using System.Text.RegularExpressions;
using Xunit;

namespace OrleansEvents.Tests.Docs;

/// <summary>docs/features.md names tests that there are, in every row.</summary>
public sealed partial class FeaturesTests
{
    private static readonly ILookup<string, Type> s_types = typeof(FeaturesTests).Assembly.GetTypes()
        .ToLookup(type => type.Name);

    [Fact]
    public void Every_row_names_tests_that_there_are()
    {
        var rows = Row().Matches(Documents.Read("docs/features.md"));
        string[] expected = [.. Section(1, 6), .. Section(2, 4), .. Section(3, 5), .. Section(4, 8), "8.5"];
        Assert.Equal(expected, rows.Select(row => row.Groups[1].Value));
        foreach (Match row in rows)
        {
            var named = Documents.Quoted(row.Groups[2].Value).ToList();
            Assert.True(named.Count > 0, $"{row.Groups[1].Value} names no test");
            Assert.All(named, name => Assert.True(IsTest(name), $"{row.Groups[1].Value}: {name} is no test"));
        }
    }

    private static IEnumerable<string> Section(int section, int rows) =>
        Enumerable.Range(1, rows).Select(row => $"{section}.{row}");

    private static bool IsTest(string name)
    {
        var parts = name.Split('.');
        return parts.Length == 2 && (IsOfCluster(parts[0], parts[1]) || s_types[parts[0]].Any(type =>
            type.GetMethods().Any(method => method.Name == parts[1]
                && method.GetCustomAttributes().Any(each => each is FactAttribute))));
    }

    /// <summary>What needs Orleans is in a program of its own, which is not built everywhere.</summary>
    private static bool IsOfCluster(string type, string method) => Documents.Files($"{type}.cs").Any(file =>
        file.Contains("Tests.Cluster", StringComparison.Ordinal) && Regex.IsMatch(File.ReadAllText(file),
            $@"\[(Fact|Theory)[^\]]*\]\s+(\[.*\]\s+)*public async Task {method}\("));

    /// <summary>A number, and the tests in the last column.</summary>
    [GeneratedRegex(@"^\| (\d\.\d) \|.*\| ([^|]*) \|$", RegexOptions.Multiline)]
    private static partial Regex Row();
}
