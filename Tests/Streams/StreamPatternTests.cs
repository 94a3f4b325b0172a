using FsCheck;
using FsCheck.Fluent;
using OrleansEvents.Streams;
using Xunit;

namespace OrleansEvents.Tests.Streams;

public sealed class StreamPatternTests
{
    [Theory]
    [InlineData("a", "a", true)]
    [InlineData("a", "ab", false)]
    [InlineData("a", "a.b", false)]
    [InlineData("a", "A", false)]
    [InlineData("a.*", "a.b", true)]
    [InlineData("a.*", "a", false)]
    [InlineData("a.*", "a.b.c", false)]
    [InlineData("a.*", "ab.c", false)]
    [InlineData("a.*.c", "a.b.c", true)]
    [InlineData("a.*.c", "a.b.d", false)]
    [InlineData("a.*.c", "a.b.cc", false)]
    [InlineData("*.b", "a.b", true)]
    [InlineData("*.b", "b", false)]
    [InlineData("*.*", "a.b", true)]
    [InlineData("*.*", "a", false)]
    [InlineData("a.>", "a.b", true)]
    [InlineData("a.>", "a.b.c", true)]
    [InlineData("a.>", "a", false)]
    [InlineData("a.>", "ab.c", false)]
    [InlineData("a.*.>", "a.b", false)]
    [InlineData("a.*.>", "a.b.c.d", true)]
    [InlineData(">", "a.b.c", true)]
    [InlineData(">", "$system", false)]
    [InlineData("*", "$system", false)]
    [InlineData("*.nodes", "$system.nodes", false)]
    [InlineData("$system", "$system", true)]
    [InlineData("$system.*", "$system.nodes", true)]
    [InlineData("$system.>", "system.nodes", false)]
    public void Star_is_one_token_and_greater_than_the_rest(string text, string stream, bool matches)
    {
        Assert.True(StreamPattern.TryParse(text, out var pattern, out _));
        Assert.Equal(matches, pattern.Matches(stream));
    }

    [Theory]
    [InlineData("")]
    [InlineData("a.")]
    [InlineData("a*")]
    [InlineData("a.b*.c")]
    [InlineData("**")]
    [InlineData(">.a")]
    [InlineData("a.>.b")]
    [InlineData("a>")]
    [InlineData("$*")]
    [InlineData("$>")]
    [InlineData("$.a")]
    [InlineData("a.$b")]
    [InlineData("a b")]
    public void A_wildcard_inside_a_token_or_a_bad_name_is_refused(string text)
    {
        Assert.False(StreamPattern.TryParse(text, out _, out var refusal));
        Assert.Equal(ErrorCode.InvalidInput, refusal.Code);
    }

    [Theory]
    [InlineData("a.b", "a.b", false)]
    [InlineData("a.*", "a.", true)]
    [InlineData("a.b.*.c", "a.b.", true)]
    [InlineData(">", "", true)]
    public void The_literal_prefix_ends_at_the_first_wildcard(string text, string prefix, bool wildcard)
    {
        Assert.True(StreamPattern.TryParse(text, out var pattern, out _));
        Assert.Equal((prefix, wildcard), (pattern.LiteralPrefix, pattern.HasWildcard));
    }

    [Fact]
    public void A_list_is_joined_by_commas_and_says_nothing_twice()
    {
        Assert.True(StreamPattern.TryParseList("a,b.*,a,c.>", out var patterns, out _));
        Assert.Equal(["a", "b.*", "c.>"], patterns.Select(p => p.Text));
    }

    [Theory]
    [InlineData("")]
    [InlineData("a,")]
    [InlineData(",a")]
    [InlineData("a, b")]
    [InlineData("a,b*")]
    public void A_list_with_a_bad_pattern_is_refused(string text)
    {
        Assert.False(StreamPattern.TryParseList(text, out _, out var refusal));
        Assert.Equal(ErrorCode.InvalidInput, refusal.Code);
    }

    [Fact]
    public void A_list_has_100_patterns_at_most()
    {
        Assert.True(StreamPattern.TryParseList(Names(100), out var patterns, out _));
        Assert.Equal(100, patterns.Count);
        Assert.False(StreamPattern.TryParseList(Names(101), out _, out var refusal));
        Assert.Equal(ErrorCode.InvalidInput, refusal.Code);
        static string Names(int count) => string.Join(',', Enumerable.Range(0, count).Select(i => $"s{i}"));
    }

    [Fact]
    public void Every_pattern_matches_as_token_lists_do()
    {
        var token = Gen.Elements("a", "b", "aa");
        var name = token.ListOf().Where(t => t.Count is > 0 and < 5).Select(t => string.Join('.', t));
        var wild = Gen.Elements("a", "b", "*", "*", "aa").ListOf().Where(t => t.Count is > 0 and < 5);
        var text = from tokens in wild
                   from rest in Gen.Elements("", ".>")
                   select string.Join('.', tokens) + rest;
        Prop.ForAll(text.Zip(name).ToArbitrary(), pair =>
            StreamPattern.TryParse(pair.Item1, out var pattern, out _)
            && pattern.Matches(pair.Item2) == Reference(pair.Item1.Split('.'), pair.Item2.Split('.')))
            .QuickCheckThrowOnFailure();
    }

    [Fact]
    public void Matching_allocates_nothing()
    {
        Assert.True(StreamPattern.TryParse("processes.*.>", out var pattern, out _));
        Assert.True(pattern.Matches("processes.42.logs"));
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 1000; i++) pattern.Matches("processes.42.logs");
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }

    private static bool Reference(ReadOnlySpan<string> pattern, ReadOnlySpan<string> name)
    {
        if (pattern.IsEmpty || name.IsEmpty) return pattern.IsEmpty && name.IsEmpty;
        if (pattern[0] == ">") return true;
        return (pattern[0] == "*" || pattern[0] == name[0]) && Reference(pattern[1..], name[1..]);
    }
}
