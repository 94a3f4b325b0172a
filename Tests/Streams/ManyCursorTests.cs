using System.Buffers.Text;
using System.Text;
using FsCheck;
using FsCheck.Fluent;
using OrleansEvents.Streams;
using Xunit;

namespace OrleansEvents.Tests.Streams;

public sealed class ManyCursorTests
{
    private const long Now = 1_795_000_000_123;

    private static readonly Gen<string> _name =
        from tokens in Gen.Elements("a", "b", "orders", "orders-2", "$s", "processes.42.logs").NonEmptyListOf()
        let name = tokens[0] + string.Concat(tokens.Skip(1).Where(t => t[0] != '$').Select(t => "." + t))
        where name.Length <= StreamName.MaxLength
        select name;

    private static readonly Gen<Dictionary<string, Cursor>> _positions =
        from entries in (from name in _name
                         from high in Gen.Choose(int.MinValue, int.MaxValue)
                         from low in Gen.Choose(0, int.MaxValue)
                         from bits in Gen.Choose(0, 52)
                         select (name, new Cursor((ulong)(uint)high << 32 | (uint)low, (long)low << 22 >> (52 - bits))))
            .ListOf()
        select entries.DistinctBy(e => e.name).ToDictionary(e => e.name, e => e.Item2);

    [Fact]
    public void Positions_come_back_as_they_were_written()
    {
        Prop.ForAll(_positions.ToArbitrary(), positions =>
        {
            var text = ManyCursor.Format(positions, Now, int.MaxValue);
            return Cursor.IsText(text) && text.Length != Cursor.TextLength && !Cursor.TryParse(text, out _)
                && ManyCursor.TryParse(text, out var cursor, int.MaxValue) && cursor.TimeMs is null
                && cursor.Positions.Select(p => p.Key).SequenceEqual(positions.Keys.Order(StringComparer.Ordinal))
                && positions.All(p => cursor.TryFind(p.Key, out var found) && found == p.Value)
                && !cursor.TryFind("none", out _);
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(500));
    }

    [Theory]
    [InlineData("abc")]
    [InlineData("abcd")]
    [InlineData("abcde")]
    public void A_position_before_a_streams_first_event_comes_back(string stream)
    {
        var position = KeyValuePair.Create(stream, new Cursor(ulong.MaxValue, 0));
        Assert.True(ManyCursor.TryParse(ManyCursor.Format([position], Now), out var cursor));
        Assert.Equal([position], cursor.Positions);
    }

    [Fact]
    public void No_text_is_as_long_as_one_streams_cursor()
    {
        // One stream of each length of name and seq: the only texts that short.
        for (var length = 1; length <= 12; length++)
            for (var bits = 0; bits < 53; bits++)
            {
                var position = KeyValuePair.Create(new string('a', length), new Cursor(ulong.MaxValue, 1L << bits));
                var text = ManyCursor.Format([position], Now);
                Assert.NotEqual(Cursor.TextLength, text.Length);
                Assert.True(ManyCursor.TryParse(text, out var cursor));
                Assert.Equal([position], cursor.Positions);
            }
    }

    [Fact]
    public void No_streams_at_all_are_a_position_too()
    {
        var text = ManyCursor.Format([], Now);
        Assert.True(ManyCursor.TryParse(text, out var cursor));
        Assert.Empty(cursor.Positions);
        Assert.Null(cursor.TimeMs);
        Assert.False(ManyCursor.TryParse("0", out _));
        Assert.False(ManyCursor.TryParse("$", out _));
    }

    [Fact]
    public void Hundreds_of_streams_with_like_names_fit()
    {
        var positions = Enumerable.Range(0, 180).Select(i =>
            KeyValuePair.Create($"processes.{i}.logs", new Cursor(ulong.MaxValue - (ulong)i, 1000 + i)));
        Assert.InRange(ManyCursor.Format(positions, Now).Length, 3000, 4096);
    }

    [Theory]
    [InlineData(4096)]
    [InlineData(100)]
    [InlineData(60)]
    public void Past_the_bound_it_is_the_time(int bound)
    {
        var all = Enumerable.Range(0, 1000).Select(i => KeyValuePair.Create($"s{i}", new Cursor(7, i))).ToList();
        var fitted = 0;
        for (var count = 0; count <= all.Count; count++)
        {
            var text = ManyCursor.Format(all.Take(count), Now, bound);
            Assert.True(text.Length <= bound && text.Length != Cursor.TextLength);
            Assert.True(ManyCursor.TryParse(text, out var cursor, bound));
            if (cursor.TimeMs is null) Assert.Equal(fitted++, count);
            else Assert.Equal(Now, cursor.TimeMs);
        }
        Assert.InRange(fitted, 2, 300);
    }

    [Theory]
    [InlineData("s0", 0L)]
    [InlineData("s1795000000123", 1_795_000_000_123)]
    [InlineData("s999999999999999", 999_999_999_999_999)]
    public void A_time_is_read(string text, long ms)
    {
        Assert.True(ManyCursor.TryParse(text, out var cursor));
        Assert.Equal(ms, cursor.TimeMs);
        Assert.Equal(text, ManyCursor.FormatTime(ms));
        Assert.False(cursor.TryFind("a", out _));
    }

    [Theory]
    [InlineData("")]
    [InlineData("s")]
    [InlineData("s-1")]
    [InlineData("s01")]
    [InlineData("s1 ")]
    [InlineData("s1000000000000000")]
    [InlineData("s٣")]
    [InlineData("x")]
    [InlineData("mA")]
    [InlineData("mAA")]
    [InlineData("m====")]
    [InlineData("mAAEB AAAAAAAAAAAF")]
    [InlineData("mé")]
    public void Other_texts_are_refused(string text) => Assert.False(ManyCursor.TryParse(text, out _));

    [Theory]
    [InlineData("0010610000000000000001", false)] // no seq
    [InlineData("001061000000000000000105", true)]
    [InlineData("00106100000000000000010500", false)] // something behind it
    [InlineData("011061000000000000000105", false)] // shares more than there is
    [InlineData("00F0FF61000000000000000105", false)] // longer than what follows
    [InlineData("000061000000000000000105", false)] // an empty name
    [InlineData("00102A000000000000000105", false)] // not a name
    [InlineData("0010E9000000000000000105", false)] // not ASCII
    [InlineData("0010610000000000000001FFFFFFFFFFFFFF0F", true)] // the last seq
    [InlineData("0010610000000000000001808080808080808000", false)] // too long a seq
    [InlineData("0010610000000000000001FFFFFFFFFFFFFF10", false)] // 2^53
    [InlineData("001161000000000000000105", false)] // ends like a longer one than there is
    [InlineData("00F0", false)] // no length
    [InlineData("001062000000000000000105001061000000000000000105", false)] // out of order
    [InlineData("001061000000000000000105001061000000000000000105", false)] // twice
    [InlineData("001061000000000000000105011062000000000000000105", true)]
    public void Every_byte_is_checked(string hex, bool accepted) =>
        Assert.Equal(accepted, ManyCursor.TryParse("m" + Base64Url.EncodeToString(Convert.FromHexString(hex)), out _));

    [Fact]
    public void A_text_beyond_the_bound_is_refused()
    {
        var positions = Enumerable.Range(0, 300).Select(i => KeyValuePair.Create($"s{i}", default(Cursor)));
        var text = ManyCursor.Format(positions, Now, int.MaxValue);
        Assert.False(ManyCursor.TryParse(text, out _));
        Assert.True(ManyCursor.TryParse(text, out _, text.Length));
    }

    [Fact]
    public void Damaged_texts_are_read_or_refused_and_never_throw()
    {
        var damage = from positions in _positions
                     from at in Gen.Choose(0, int.MaxValue)
                     from with in Gen.Choose(0, 127)
                     from cut in Gen.Elements(true, false)
                     select (positions, at, with, cut);
        Prop.ForAll(damage.ToArbitrary(), d =>
        {
            var text = new StringBuilder(ManyCursor.Format(d.positions, Now));
            text[d.at % text.Length] = (char)d.with;
            if (d.cut) text.Length = d.at % text.Length;
            return !ManyCursor.TryParse(text.ToString(), out var cursor)
                || cursor.Positions.All(p => StreamName.IsValid(p.Key));
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(2000));
    }
}
