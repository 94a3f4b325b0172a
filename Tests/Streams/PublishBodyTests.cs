using System.Text;
using System.Text.Json;
using OrleansEvents.Streams;
using Xunit;

namespace OrleansEvents.Tests.Streams;

public sealed class PublishBodyTests
{
    [Fact]
    public void An_event_has_what_its_publisher_said()
    {
        using var body = Accepted("""
            {"type":"error_event","version":7,"data":{"a":[1,"x"]},"critical":true,"key":"k-1",
             "time":"2026-01-31T23:30:00.1239-02:30"}
            """);
        var only = Assert.Single(body.Events.ToArray());
        Assert.Equal("error_event", Text(only.Type));
        Assert.Equal("""{"a":[1,"x"]}""", Text(only.Data));
        Assert.Equal((7, true, "k-1"), (only.Version, only.Critical, only.Key));
        Assert.Equal(new DateTimeOffset(2026, 2, 1, 2, 0, 0, 123, TimeSpan.Zero), only.Time);
        Assert.Equal(TimeSpan.Zero, only.Time!.Value.Offset);
    }

    [Fact]
    public void What_was_not_said_has_its_default()
    {
        using var body = Accepted("""{"data":null,"type":"t"}""");
        var only = body.Events.Span[0];
        Assert.Equal((1, null, null, null), (only.Version, only.Critical, only.Key, only.Time));
        Assert.Equal("null", Text(only.Data));
    }

    [Theory]
    [InlineData("""[{"type":"a","data":1},{"type":"b","data":2}]""", PublishForm.Json)]
    [InlineData(" [ {\"type\":\"a\",\"data\":1} ,\r\n{\"type\":\"b\",\"data\":2}\n]\t", PublishForm.Json)]
    [InlineData("\ufeff[{\"type\":\"a\",\"data\":1},{\"type\":\"b\",\"data\":2}]", PublishForm.Json)]
    [InlineData("{\"type\":\"a\",\"data\":1}\n{\"type\":\"b\",\"data\":2}", PublishForm.Ndjson)]
    [InlineData("\ufeff\r\n{\"type\":\"a\",\"data\":1}\r\n \t\n {\"type\":\"b\",\"data\":2} \r\n", PublishForm.Ndjson)]
    public void An_array_and_lines_give_their_events_in_order(string text, PublishForm form)
    {
        using var body = Accepted(text, form);
        Assert.Equal(["a=1", "b=2"], body.Events.ToArray().Select(e => $"{Text(e.Type)}={Text(e.Data)}"));
    }

    [Theory]
    [InlineData("""{"data":1}""", "Event 0: \"type\" is missing")]
    [InlineData("""{"type":"t"}""", "\"data\" is missing")]
    [InlineData("""[{"type":"t","data":1},{"type":"t","data":1,"id":5}]""", "Event 1: unknown member \"id\"")]
    [InlineData("""{"Type":"t","data":1}""", "unknown member \"Type\"")]
    [InlineData("""{"type":"t","data":1,"data":2}""", "\"data\" is given twice")]
    [InlineData("""{"type":"t","d\u0061ta":1,"data":2}""", "\"data\" is given twice")]
    [InlineData("""{"type":"","data":1}""", "\"type\" must")]
    [InlineData("""{"type":5,"data":1}""", "\"type\" must")]
    [InlineData("""{"type":"a\nb","data":1}""", "\"type\" must")]
    [InlineData("""{"type":"a\u0000","data":1}""", "\"type\" must")]
    [InlineData("""{"type":"a\u202e","data":1}""", "\"type\" must")]
    [InlineData("{\"type\":\"a\u200b\",\"data\":1}", "\"type\" must")]
    [InlineData("{\"type\":\"a\u2028\",\"data\":1}", "\"type\" must")]
    [InlineData("{\"type\":\"a\u0085\",\"data\":1}", "\"type\" must")]
    [InlineData("""{"type":"t","data":1,"version":0}""", "\"version\" must")]
    [InlineData("""{"type":"t","data":1,"version":1000}""", "\"version\" must")]
    [InlineData("""{"type":"t","data":1,"version":1.5}""", "\"version\" must")]
    [InlineData("""{"type":"t","data":1,"version":"1"}""", "\"version\" must")]
    [InlineData("""{"type":"t","data":1,"version":99999999999}""", "\"version\" must")]
    [InlineData("""{"type":"t","data":1,"critical":"yes"}""", "\"critical\" must")]
    [InlineData("""{"type":"t","data":1,"critical":null}""", "\"critical\" must")]
    [InlineData("""{"type":"t","data":1,"key":""}""", "\"key\" must")]
    [InlineData("""{"type":"t","data":1,"key":1}""", "\"key\" must")]
    [InlineData("""{"type":"t","data":1,"key":"a\u0000"}""", "\"key\" must")]
    [InlineData("""{"type":"t","data":1,"time":"2026-01-31"}""", "\"time\" must")]
    [InlineData("""{"type":"t","data":1,"time":1}""", "\"time\" must")]
    [InlineData("""[{"type":"t","data":1},[]]""", "Event 1: an event must be a JSON object")]
    [InlineData("\"x\"", "must be a JSON object")]
    [InlineData("null", "must be a JSON object")]
    [InlineData("", "holds no event")]
    [InlineData(" \r\n", "holds no event")]
    [InlineData("\ufeff", "holds no event")]
    [InlineData("[]", "holds no event")]
    [InlineData("{", "malformed")]
    [InlineData("""{"type":"t","data":1}}""", "malformed")]
    [InlineData("""{"type":"t","data":1}{"type":"t","data":1}""", "malformed")]
    [InlineData("""{"type":"t","data":1,}""", "malformed")]
    [InlineData("""[{"type":"t","data":1},]""", "malformed")]
    [InlineData("""[{"type":"t","data":1}""", "malformed")]
    [InlineData("""{"type":"t","data":[1,}""", "Event 0: malformed")]
    [InlineData("""{"type":"t",/* no */"data":1}""", "malformed")]
    [InlineData("""{"type":"t","data":NaN}""", "malformed")]
    [InlineData("""{"type":"t","data":01}""", "malformed")]
    [InlineData("{\"type\":\"t\",\"data\":\"a\nb\"}", "malformed")]
    [InlineData("{\"type\":\"t\",\"data\":1}\0", "malformed")]
    [InlineData("\0", "malformed")]
    [InlineData("""{"type":"t","data":"\ud800"}""", "surrogate")]
    [InlineData("""{"type":"t","data":"\uDC00\uD800"}""", "surrogate")]
    [InlineData("""{"type":"t","data":{"\ud83d\u0041":1}}""", "surrogate")]
    [InlineData("""{"type":"t","data":"\\\ud83d"}""", "surrogate")]
    public void A_malformed_body_is_refused_with_what_and_where(string text, string why) =>
        Refused(Encoding.UTF8.GetBytes(text), PublishForm.Json, ErrorCode.InvalidInput, why);

    [Theory]
    [InlineData("{\"type\":\"t\",\"data\":1}\n{\"type\":\"t\"}", "Event 1: \"data\" is missing")]
    [InlineData("{\"type\":\"t\",\n\"data\":1}", "Event 0: malformed")]
    [InlineData("{\"type\":\"t\",\"data\":1} {\"type\":\"t\",\"data\":1}", "malformed")]
    [InlineData("[{\"type\":\"t\",\"data\":1}]", "must be a JSON object")]
    [InlineData("{\"type\":\"t\",\"data\":1}\n\u00a0", "Event 1: malformed")]
    [InlineData("\n\r\n", "holds no event")]
    public void A_malformed_line_is_refused_with_what_and_where(string text, string why) =>
        Refused(Encoding.UTF8.GetBytes(text), PublishForm.Ndjson, ErrorCode.InvalidInput, why);

    [Theory]
    [InlineData("C0AF")] // overlong
    [InlineData("EDA080")] // a surrogate in UTF-8
    [InlineData("F5808080")] // beyond U+10FFFF
    [InlineData("C3")] // cut off
    [InlineData("FF")]
    public void Invalid_utf8_inside_a_string_is_refused(string hex)
    {
        byte[] bytes = [.. "{\"type\":\"t\",\"data\":\""u8, .. Convert.FromHexString(hex), .. "\"}"u8];
        Refused(bytes, PublishForm.Json, ErrorCode.InvalidInput, "UTF-8");
        Refused(bytes, PublishForm.Ndjson, ErrorCode.InvalidInput, "UTF-8");
    }

    [Theory]
    [InlineData("plain", "plain")]
    [InlineData("naïve 😀", "naïve 😀")]
    [InlineData("""\u0061\/\u00e9\ud83d\ude00""", "a/é😀")]
    [InlineData("""\"\\\u0022\u005c""", """\"\\\"\\""")]
    public void Equal_types_have_equal_bytes_however_they_were_escaped(string written, string canonical)
    {
        using var body = Accepted($$$"""{"type":"{{{written}}}","data":{"a":1}}""");
        Assert.Equal(canonical, Text(body.Events.Span[0].Type));
        Assert.Equal("""{"a":1}""", Text(body.Events.Span[0].Data));
        Assert.True(EventType.TryEncode(JsonSerializer.Deserialize<string>($"\"{written}\""), out var encoded));
        Assert.Equal(canonical, Text(encoded));
    }

    [Theory]
    [InlineData(100, "a", true)]
    [InlineData(101, "a", false)]
    [InlineData(100, "😀", true)]
    [InlineData(101, "😀", false)]
    [InlineData(100, """\ud83d\ude00""", true)]
    [InlineData(101, """\ud83d\ude00""", false)]
    [InlineData(101, """\u0061""", false)]
    public void A_type_has_100_characters_at_most(int count, string character, bool accepted) =>
        AssertAccepted($$"""{"type":"{{Repeat(character, count)}}","data":1}""", accepted);

    [Theory]
    [InlineData(200, "a", true)]
    [InlineData(201, "a", false)]
    [InlineData(200, "😀", true)]
    [InlineData(201, "😀", false)]
    [InlineData(200, """\u0061""", true)]
    [InlineData(2000, """\u0061""", false)]
    public void A_key_has_200_characters_at_most(int count, string character, bool accepted) =>
        AssertAccepted($$"""{"type":"t","data":1,"key":"{{Repeat(character, count)}}"}""", accepted);

    [Fact]
    public void Line_breaks_between_the_tokens_of_data_become_spaces()
    {
        using var body = Accepted("{\"type\":\"t\",\r\n\"data\":{\r\n\"a\":\n[1,\r2],\"b\":\"\\r\\n\"}\n}");
        Assert.Equal("""{  "a": [1, 2],"b":"\r\n"}""", Text(body.Events.Span[0].Data));
        using var lines = Accepted("{\"type\":\"t\",\"data\":[1,\r2]}\r\n", PublishForm.Ndjson);
        Assert.Equal("[1, 2]", Text(lines.Events.Span[0].Data));
    }

    [Fact]
    public void Data_may_be_64_deep()
    {
        static string Nested(int depth) =>
            "{\"type\":\"t\",\"data\":" + new string('[', depth) + new string(']', depth) + "}";
        AssertAccepted(Nested(64), true);
        AssertAccepted("[" + Nested(64) + "]", true);
        AssertAccepted(Nested(65), false);
        AssertAccepted("[" + Nested(65) + "]", false);
        Refused(Encoding.UTF8.GetBytes(Nested(65)), PublishForm.Ndjson, ErrorCode.InvalidInput, "depth");
        AssertAccepted(Nested(1_000_000), false);
    }

    [Theory]
    [InlineData(PublishForm.Json)]
    [InlineData(PublishForm.Ndjson)]
    public void More_events_than_allowed_are_too_large(PublishForm form)
    {
        var limits = new PublishLimits(200, 1000);
        using (Accepted(Many(200, form), form, limits)) { }
        Refused(Encoding.UTF8.GetBytes(Many(201, form)), form, ErrorCode.EventTooLarge, "200", limits);
    }

    [Fact]
    public void A_larger_event_than_allowed_is_too_large()
    {
        const string text = """{"type":"t","data":"123"}""";
        var limits = new PublishLimits(10, text.Length);
        using (Accepted("[ " + text + " , " + text + "  ]", PublishForm.Json, limits)) { }
        using (Accepted("  " + text + "  \n", PublishForm.Ndjson, limits)) { }
        Refused("""[{"type":"t","data":1},{"type":"t","data":"1234"}]"""u8.ToArray(), PublishForm.Json,
            ErrorCode.EventTooLarge, "Event 1", limits);
    }

    [Fact]
    public void An_idempotency_key_numbers_the_events_that_have_no_key()
    {
        using var body = Accepted(
            """[{"type":"t","data":1},{"key":"own","type":"t","data":2},{"type":"t","data":3}]""");
        Assert.Null(body.WithIdempotencyKey("K"));
        Assert.Equal(["K/0", "own", "K/2"], body.Events.ToArray().Select(e => e.Key));
    }

    [Fact]
    public void An_idempotency_key_leaves_room_for_the_last_events_number()
    {
        using var body = Accepted(Many(11, PublishForm.Json));
        Assert.Equal(ErrorCode.InvalidInput, body.WithIdempotencyKey("")?.Code);
        Assert.Equal(ErrorCode.InvalidInput, body.WithIdempotencyKey("a\0")?.Code);
        Assert.Equal(ErrorCode.InvalidInput, body.WithIdempotencyKey(new string('K', 198))?.Code);
        Assert.Null(body.Events.Span[0].Key);
        Assert.Null(body.WithIdempotencyKey(new string('K', 197)));
        Assert.Equal(200, body.Events.Span[10].Key!.Length);
    }

    [Fact]
    public void Reading_allocates_nothing_for_an_event_without_a_key()
    {
        var bytes = Encoding.UTF8.GetBytes(Many(1000, PublishForm.Ndjson));
        long Allocated()
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            PublishBody.TryParse(bytes, PublishForm.Ndjson, PublishLimits.Default, out var body, out _);
            body!.Dispose();
            return GC.GetAllocatedBytesForCurrentThread() - before;
        }
        Allocated();
        Assert.InRange(Allocated(), 0, 200);
    }

    private static string Many(int count, PublishForm form)
    {
        var events = Enumerable.Range(0, count).Select(i => $$"""{"type":"t","data":{{i}}}""");
        return form == PublishForm.Json ? "[" + string.Join(',', events) + "]" : string.Join('\n', events);
    }

    private static string Repeat(string text, int count) => string.Concat(Enumerable.Repeat(text, count));

    private static string Text(ReadOnlyMemory<byte> utf8) => Encoding.UTF8.GetString(utf8.Span);

    private static PublishBody Accepted(string text, PublishForm form = PublishForm.Json, PublishLimits? limits = null)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        Assert.True(PublishBody.TryParse(bytes, form, limits ?? PublishLimits.Default, out var body, out var refusal),
            refusal.Detail);
        return body;
    }

    private static void AssertAccepted(string text, bool accepted)
    {
        var parsed = PublishBody.TryParse(Encoding.UTF8.GetBytes(text), PublishForm.Json, PublishLimits.Default,
            out var body, out var refusal);
        Assert.Equal(accepted, parsed);
        if (!accepted) Assert.Equal(ErrorCode.InvalidInput, refusal.Code);
        body?.Dispose();
    }

    private static void Refused(byte[] bytes, PublishForm form, ErrorCode code, string why,
        PublishLimits? limits = null)
    {
        Assert.False(PublishBody.TryParse(bytes, form, limits ?? PublishLimits.Default, out _, out var refusal));
        Assert.Equal(code, refusal.Code);
        Assert.Contains(why, refusal.Detail, StringComparison.Ordinal);
    }
}
