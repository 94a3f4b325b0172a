using System.Text;
using OrleansEvents.Cli;
using Xunit;

namespace OrleansEvents.Tests.Cli;

public sealed class LineSplitterTests
{
    [Theory]
    [InlineData("", "")]
    [InlineData("\n", "|")]
    [InlineData("a\nb\n", "a|b|")]
    [InlineData("a\r\n\r\nb\r\n", "a||b|")]
    [InlineData("a\nno end", "a|no end|")]
    [InlineData("10%\r20%\n", "10%\r20%|")]
    [InlineData("\0\t\u001b[0mü€😀\n", "\0\t\u001b[0mü€😀|")]
    public void Lines_are_the_same_however_the_bytes_arrive(string text, string expected)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        for (var size = 1; size <= Math.Max(1, bytes.Length); size++)
            Assert.Equal(expected, string.Concat(Split(bytes, size).Select(line => line + "|")));
    }

    [Fact]
    public void Bytes_that_are_no_UTF8_become_replacement_characters() =>
        Assert.Equal(["a\uFFFDb", "\uFFFD"], Split([(byte)'a', 0xFF, (byte)'b', (byte)'\n', 0xC3, (byte)'\n'], 2));

    [Fact]
    public void A_long_line_comes_in_pieces_that_cut_no_character()
    {
        var text = "x" + string.Concat(Enumerable.Repeat("€😀", 20_000));

        var pieces = Split(Encoding.UTF8.GetBytes(text + "\nnext\n"), 1000);

        Assert.Equal(text, string.Concat(pieces.SkipLast(1)));
        Assert.Equal("next", pieces[^1]);
        Assert.All(pieces, piece => Assert.InRange(Encoding.UTF8.GetByteCount(piece), 1, LineSplitter.Longest));
    }

    [Theory]
    [InlineData("\n")]
    [InlineData("\r\n")]
    [InlineData("")]
    public void A_line_of_exactly_the_bound_leaves_no_empty_piece(string end)
    {
        for (var length = LineSplitter.Longest - 1; length <= LineSplitter.Longest + 2; length++)
        {
            var text = new string('x', length);
            var lines = Split(Encoding.UTF8.GetBytes(text + end), 4096);
            Assert.Equal(text, string.Concat(lines));
            Assert.DoesNotContain("", lines);
        }
    }

    private static List<string> Split(byte[] bytes, int size)
    {
        var splitter = new LineSplitter();
        var lines = bytes.Chunk(size).SelectMany(chunk => splitter.Add(chunk)).ToList();
        if (splitter.Rest() is { } rest)
            lines.Add(rest);
        return lines;
    }
}
