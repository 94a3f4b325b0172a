using System.Text;
using OrleansEvents.Streams;
using Xunit;

namespace OrleansEvents.Tests.Streams;

public sealed class EventTypeTests
{
    [Theory]
    [InlineData("error_event", "error_event")]
    [InlineData("two words", "two words")]
    [InlineData("a\"b\\c/d", "a\\\"b\\\\c/d")]
    [InlineData("é😀", "é😀")]
    public void A_type_escapes_only_what_json_must(string type, string canonical)
    {
        Assert.True(EventType.TryEncode(type, out var bytes));
        Assert.Equal(canonical, Encoding.UTF8.GetString(bytes));
    }

    [Theory]
    [InlineData("")]
    [InlineData("a\tb")]
    [InlineData("\u007f")]
    [InlineData("\u0085")]
    [InlineData("a\u200d")]
    [InlineData("\u2029")]
    public void A_character_that_does_not_print_makes_no_type(string type) =>
        Assert.False(EventType.TryEncode(type, out _));

    [Fact]
    public void Half_a_surrogate_pair_makes_no_type()
    {
        Assert.False(EventType.TryEncode("a\ud800", out _));
        Assert.False(EventType.TryEncode("\udc00\ud800", out _));
    }

    [Fact]
    public void A_type_has_100_characters_at_most_a_surrogate_pair_as_one()
    {
        foreach (var character in new[] { "a", "\"", "é", "😀" })
        {
            Assert.True(EventType.TryEncode(string.Concat(Enumerable.Repeat(character, 100)), out var bytes));
            Assert.True(bytes.Length <= EventType.MaxBytes);
            Assert.False(EventType.TryEncode(string.Concat(Enumerable.Repeat(character, 101)), out _));
        }
    }
}
