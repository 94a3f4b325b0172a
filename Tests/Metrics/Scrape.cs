using System.Globalization;
using System.Net;
using System.Text.RegularExpressions;
using OrleansEvents.Tests.Http;
using Xunit;

namespace OrleansEvents.Tests.Metrics;

/// <summary>One look at <c>/metrics</c>, read as Prometheus reads it.</summary>
internal sealed partial class Scrape
{
    private const string Label = @"[a-z_]+=""(?:[^""\\\n]|\\[\\""n])*""";
    private readonly Dictionary<string, double> _values = new(StringComparer.Ordinal);

    private Scrape(string text)
    {
        Text = text;
        var name = "";
        foreach (var line in text.Split('\n')[..^1])
        {
            if (line.StartsWith("# ", StringComparison.Ordinal))
            {
                var comment = Comment().Match(line);
                Assert.True(comment.Success, line);
                if (comment.Groups[1].Value == "HELP") name = comment.Groups[2].Value;
                else Types.Add(comment.Groups[2].Value, comment.Groups[3].Value);
                Assert.Equal(name, comment.Groups[2].Value);
                continue;
            }
            var sample = Sample().Match(line);
            Assert.True(sample.Success, line);
            Assert.StartsWith(name, line, StringComparison.Ordinal);
            _values.Add(sample.Groups[1].Value, double.Parse(sample.Groups[2].Value, CultureInfo.InvariantCulture));
        }
    }

    public string Text { get; }

    /// <summary>Each metric's type, by its name.</summary>
    public Dictionary<string, string> Types { get; } = new(StringComparer.Ordinal);

    public IReadOnlyDictionary<string, double> Values => _values;

    /// <summary>A sample, named without the prefix; one that is not there is 0.</summary>
    public double this[string sample] => _values.GetValueOrDefault("orleansevents_" + sample);

    public static async Task<Scrape> Of(TestServer server)
    {
        var answer = (await server.Get("/metrics")).Must(HttpStatusCode.OK);
        Assert.Equal("text/plain; version=0.0.4; charset=utf-8", answer.Header("Content-Type"));
        return new Scrape(answer.Text);
    }

    public static Scrape OfText(string text) => new(text);

    /// <summary>Looks until a sample has a value.</summary>
    public static Task Until(TestServer server, string sample, double value) =>
        Eventually.True(async () => (await Of(server))[sample].Equals(value));

    [GeneratedRegex(@"^# (HELP|TYPE) ([a-z_][a-z0-9_]*) (\S.*)$")]
    private static partial Regex Comment();

    // The text format's grammar: a name, labels in quotes in which \, " and line feeds are escaped, a number.
    [GeneratedRegex($$"""^([a-z_][a-z0-9_]*(?:\{{{Label}}(?:,{{Label}})*\})?) """
        + @"(-?[0-9.]+(?:E[+-]?[0-9]+)?|\+Inf|NaN)$")]
    private static partial Regex Sample();
}
