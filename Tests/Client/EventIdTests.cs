using System.Text;
using System.Text.Json;
using OrleansEvents.Client;
using OrleansEvents.Streams;
using Xunit;

namespace OrleansEvents.Tests.Client;

public sealed class EventIdTests
{
    [Theory]
    [InlineData("c1")]
    [InlineData("")]
    [InlineData("AAAAAAAAAAAAAAAAAAAA")]
    [InlineData("____________________")]
    [InlineData("-z9_AAAAAAAAAAAAAAAB")]
    [InlineData("AAAA AAAA AAAA AAAA ")]
    [InlineData("AAAAAAAAAAAAAAAAAA==")]
    [InlineData("AAAAAAAAAAAAAAAAAA+/")]
    [InlineData("äAAAAAAAAAAAAAAAAAAA")]
    [InlineData("AAAAAAAAAAAAAAAAAAAAAAAA")]
    public void An_id_is_written_as_it_came(string text)
    {
        Assert.Equal([text], Written([text]));
        Assert.Equal(new EventId(text), new EventId(new string(text)));
    }

    [Fact]
    public void A_list_has_the_ids_in_the_order_that_they_came_in()
    {
        string[] texts = [.. Mixed(), "x", "x", .. Mixed()];
        Assert.Equal(texts, Written(texts));
        var parts = ListOf(texts).Parts(7).Select(part => part.Count).ToList();
        Assert.Equal(texts.Length, parts.Sum());
        Assert.All(parts, count => Assert.InRange(count, 1, 7));
        Assert.Empty(new EventIdList().Parts(7));
    }

    [Fact]
    public void A_set_has_what_was_added_and_not_removed()
    {
        var (set, model, random) = (new EventIds(), new HashSet<string>(), new Random(7));
        string[] texts = [.. Mixed(), "a", "b"];
        for (var step = 0; step < 20_000; step++)
        {
            var text = texts[random.Next(texts.Length)];
            if (random.Next(2) == 0)
                Assert.Equal(model.Add(text), set.Add(new EventId(text)));
            else if (random.Next(3) == 0)
                Remove(text);
            Assert.Equal(model.Contains(text), set.Contains(new EventId(text)));
        }

        void Remove(string text)
        {
            model.Remove(text);
            set.Remove(new EventId(text));
        }

        Assert.All(texts, text => Assert.Equal(model.Contains(text), set.Contains(new EventId(text))));
    }

    /// <summary>Runs with holes, of openings that differ in one bit, up to where numbers carry and end.</summary>
    private static IEnumerable<string> Mixed() =>
        from epoch in new ulong[] { 0, 255, 256, 257, ulong.MaxValue }
        from first in new[] { 0L, 250, (1L << 32) - 3, Cursor.SeqLimit - 9 }
        from next in new[] { 0, 1, 2, 4, 5, 3, 8 }
        select new Cursor(epoch, first + next).ToString();

    private static EventIdList ListOf(IEnumerable<string> texts) => [.. texts.Select(text => new EventId(text))];

    private static string[] Written(IEnumerable<string> texts)
    {
        var body = JsonBody.Of(json =>
        {
            json.WriteStartArray("ids");
            foreach (var id in ListOf(texts))
                id.WriteTo(json);
            json.WriteEndArray();
        });
        return [.. JsonElement.Parse(Encoding.UTF8.GetString(body.Span)).GetProperty("ids").EnumerateArray()
            .Select(id => id.GetString()!)];
    }
}
