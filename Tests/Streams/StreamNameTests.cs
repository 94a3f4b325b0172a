using OrleansEvents.Streams;
using Xunit;

namespace OrleansEvents.Tests.Streams;

public sealed class StreamNameTests
{
    [Theory]
    [InlineData("a")]
    [InlineData("processes.42.logs")]
    [InlineData("A-Z_0.--.__")]
    [InlineData("$system")]
    [InlineData("$system.nodes")]
    public void Tokens_joined_by_dots_are_a_name(string name)
    {
        Assert.True(StreamName.IsValid(name));
        Assert.Null(StreamName.Check(name));
    }

    [Theory]
    [InlineData("")]
    [InlineData(".")]
    [InlineData(".a")]
    [InlineData("a.")]
    [InlineData("a..b")]
    [InlineData("a b")]
    [InlineData("a/b")]
    [InlineData("a*")]
    [InlineData("*")]
    [InlineData("a.>")]
    [InlineData("é")]
    [InlineData("a\0")]
    [InlineData("$")]
    [InlineData("$.a")]
    [InlineData("$$a")]
    [InlineData("a.$b")]
    public void Anything_else_is_refused(string name)
    {
        Assert.False(StreamName.IsValid(name));
        Assert.Equal(ErrorCode.InvalidInput, StreamName.Check(name)?.Code);
    }

    [Fact]
    public void A_name_has_200_characters_at_most()
    {
        Assert.True(StreamName.IsValid(new string('a', 200)));
        Assert.False(StreamName.IsValid(new string('a', 201)));
        Assert.False(StreamName.IsValid("$" + new string('a', 200)));
    }

    [Fact]
    public void Only_a_leading_dollar_makes_a_stream_the_servers_own()
    {
        Assert.True(StreamName.IsServerOwn("$system"));
        Assert.False(StreamName.IsServerOwn("system"));
        Assert.False(StreamName.IsServerOwn(""));
    }

    [Fact]
    public void A_subscribers_name_is_one_token_of_100_characters_at_most()
    {
        Assert.Null(StreamName.CheckSubscriber("tab-1_A"));
        Assert.True(StreamName.IsValidSubscriber(new string('a', 100)));
        foreach (var name in new[] { "", "a.b", "$a", "a b", "ü", new string('a', 101) })
            Assert.Equal(ErrorCode.InvalidInput, StreamName.CheckSubscriber(name)?.Code);
    }

    [Fact]
    public void A_refusal_repeats_hostile_text_short_and_clean()
    {
        var detail = StreamName.Check("a\n\ud800" + new string('b', 500))!.Value.Detail;
        Assert.Contains("\"a??bbb", detail, StringComparison.Ordinal);
        Assert.True(detail.Length < 200);
    }
}
