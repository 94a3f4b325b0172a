using System.Text;
using System.Text.Json;
using OrleansEvents.Streams;
using Xunit;

namespace OrleansEvents.Tests.Streams;

public sealed class CriticalRulesTests
{
    [Theory]
    [InlineData("error_event", "1", true)]
    [InlineData("error_event", """{"status":"fine"}""", true)]
    [InlineData("error_events", "{}", false)]
    [InlineData("server_status", """{"status":"error"}""", true)]
    [InlineData("server_status", """{"message":{"status":1},"status":"stopped"}""", true)]
    [InlineData("server_status", """{"status":"running"}""", false)]
    [InlineData("server_status", """{"message":{"status":"error"}}""", false)]
    [InlineData("server_status", """{"status":["error"]}""", false)]
    [InlineData("server_status", """["error"]""", false)]
    [InlineData("server_status", "\"error\"", false)]
    [InlineData("server_status", "{}", false)]
    public void Errors_and_a_stopped_server_are_critical_by_default(string type, string data, bool critical) =>
        Assert.Equal(critical, IsCritical(CriticalRules.Default, type, data));

    [Theory]
    [InlineData("\"x\"", "\"\\u0078\"", true)]
    [InlineData("\"\\u0078\"", "\"x\"", true)]
    [InlineData("\"1\"", "1", false)]
    [InlineData("1", "\"1\"", false)]
    [InlineData("1", "1.0", true)]
    [InlineData("1", "10e-1", true)]
    [InlineData("1", "1.01", false)]
    [InlineData("1e400", "1e400", true)]
    [InlineData("1e400", "1e401", false)]
    [InlineData("true", "true", true)]
    [InlineData("true", "false", false)]
    [InlineData("null", "null", true)]
    [InlineData("null", "0", false)]
    [InlineData("[1,null]", "null", true)]
    [InlineData("[1,null]", "2", false)]
    public void Values_are_compared_as_json_scalars(string wanted, string given, bool critical) =>
        Assert.Equal(critical,
            IsCritical(Rules("""[{"type":"t","where":{"m":?}}]""".Replace("?", wanted)), "t", "{\"m\":" + given + "}"));

    [Theory]
    [InlineData("""{"a":1,"b":2}""", true)]
    [InlineData("""{"b":2,"c":{},"\u0061":1}""", true)]
    [InlineData("""{"a":1}""", false)]
    [InlineData("""{"a":1,"b":3}""", false)]
    [InlineData("""{"a":0,"b":2,"a":1}""", true)]
    [InlineData("""{"a":1,"b":2,"a":0}""", false)]
    public void All_members_of_a_rule_must_hold_and_the_last_duplicate_counts(string data, bool critical) =>
        Assert.Equal(critical, IsCritical(Rules("""[{"type":"t","where":{"a":1,"b":2}}]"""), "t", data));

    [Fact]
    public void One_rule_of_several_for_a_type_is_enough()
    {
        var rules = Rules("""[{"type":"t","where":{"a":1}},{"type":"t","where":{"b":1}},{"type":"u"}]""");
        Assert.True(IsCritical(rules, "t", """{"b":1}"""));
        Assert.False(IsCritical(rules, "t", """{"b":2}"""));
        Assert.True(IsCritical(rules, "u", "null"));
    }

    [Fact]
    public void Types_are_compared_in_their_canonical_form()
    {
        var rules = Rules("""["a\u0022b\\\u00e9"]""");
        Assert.True(IsCritical(rules, "a\"b\\é", "1"));
        Assert.Equal("""["a\"b\\é"]""", Json(rules));
    }

    [Fact]
    public void A_list_is_written_as_it_was_meant()
    {
        const string written =
            """["a",{"type":"b","where":{"x":["é\"",1.50,true,null],"y":[false]}}]""";
        var rules = Rules("""[ {"type":"a"}, {"where":{"x":["\u00e9\"",1.50,true,null],"y":false},"type":"b"} ]""");
        Assert.Equal(written, Json(rules));
        Assert.Equal(rules, Rules(written));
        Assert.Equal(rules.GetHashCode(), Rules(written).GetHashCode());
        Assert.NotEqual(rules, CriticalRules.Default);
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("[null]")]
    [InlineData("[[]]")]
    [InlineData("""[""]""")]
    [InlineData("""["a\n"]""")]
    [InlineData("""[{}]""")]
    [InlineData("""[{"type":1}]""")]
    [InlineData("""[{"type":"a","type":"b"}]""")]
    [InlineData("""[{"type":"a","when":{}}]""")]
    [InlineData("""[{"type":"a","where":{}}]""")]
    [InlineData("""[{"type":"a","where":null}]""")]
    [InlineData("""[{"type":"a","where":{"m":{}}}]""")]
    [InlineData("""[{"type":"a","where":{"m":[]}}]""")]
    [InlineData("""[{"type":"a","where":{"m":[[1]]}}]""")]
    [InlineData("""[{"type":"a","where":{"m":1,"m":2}}]""")]
    [InlineData("""["\ud800"]""")]
    [InlineData("""["a"]]""")]
    public void A_malformed_rule_is_refused(string json)
    {
        Assert.False(CriticalRules.TryParse(Encoding.UTF8.GetBytes(json), out _, out var refusal));
        Assert.Equal(ErrorCode.InvalidInput, refusal.Code);
    }

    [Fact]
    public void Rules_members_values_and_texts_are_bounded()
    {
        static string Many(int count, Func<int, string> item) =>
            string.Join(',', Enumerable.Range(0, count).Select(item));
        static bool Accepted(string json) => CriticalRules.TryParse(Encoding.UTF8.GetBytes(json), out _, out _);
        static string Where(string members) => "[{\"type\":\"t\",\"where\":{" + members + "}}]";
        foreach (var (count, accepted) in new[] { (100, true), (101, false) })
        {
            Assert.Equal(accepted, Accepted("[" + Many(count, i => $"\"t{i}\"") + "]"));
            Assert.Equal(accepted, Accepted(Where("\"m\":[" + Many(count, i => $"{i}") + "]")));
            Assert.Equal(accepted, Accepted("[\"" + new string('t', count) + "\"]"));
            Assert.Equal(accepted, Accepted(Where("\"m\":\"" + new string('v', count + 100) + "\"")));
        }
        Assert.True(Accepted(Where(Many(10, i => $"\"m{i}\":1"))));
        Assert.False(Accepted(Where(Many(11, i => $"\"m{i}\":1"))));
    }

    [Fact]
    public void Deciding_allocates_nothing()
    {
        var type = "server_status"u8.ToArray();
        var data = """{"list":[1,{"a":"b"}],"st\u0061tus":"stopp\u0065d"}"""u8.ToArray();
        Assert.True(CriticalRules.Default.IsCritical(type, data));
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 1000; i++) CriticalRules.Default.IsCritical(type, data);
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }

    private static CriticalRules Rules(string json)
    {
        Assert.True(CriticalRules.TryParse(Encoding.UTF8.GetBytes(json), out var rules, out var refusal),
            refusal.Detail);
        return rules;
    }

    private static bool IsCritical(CriticalRules rules, string type, string data)
    {
        Assert.True(EventType.TryEncode(type, out var canonical));
        return rules.IsCritical(canonical, Encoding.UTF8.GetBytes(data));
    }

    private static string Json(CriticalRules rules)
    {
        using var stream = new MemoryStream();
        using (var writer = new Utf8JsonWriter(stream)) rules.WriteTo(writer);
        return Encoding.UTF8.GetString(stream.ToArray());
    }
}
