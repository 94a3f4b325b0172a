using System.Text;
using Xunit;

namespace OrleansEvents.Tests.Http;

public sealed class CloudEventRefusalTests(SharedServer shared) : IClassFixture<SharedServer>
{
    private const string Good = """{"specversion":"1.0","type":"t","id":"1","source":"/s","data":1}""";
    private readonly TestServer _server = shared.Server;

    /// <summary>Each is put into an event that is whole but for it: a member takes the place of its like.</summary>
    [Theory]
    [InlineData("\"specversion\":null", "\"specversion\" is missing")]
    [InlineData("\"id\":null", "\"id\" is missing")]
    [InlineData("\"source\":null", "\"source\" is missing")]
    [InlineData("\"type\":null", "\"type\" is missing")]
    [InlineData("\"specversion\":\"0.3\"", "\"specversion\" must be \"1.0\"")]
    [InlineData("\"specversion\":\"1.0.2\"", "\"specversion\" must be \"1.0\"")]
    [InlineData("\"specversion\":1.0", "\"specversion\" must be a string")]
    [InlineData("\"id\":\"\"", "\"id\" must not be empty")]
    [InlineData("\"id\":5", "\"id\" must be a string")]
    [InlineData("\"id\":true", "\"id\" must be a string")]
    [InlineData("\"id\":{}", "\"id\" must be a string")]
    [InlineData("\"id\":\"a\\u0000\"", "\"id\" must be Unicode text")]
    [InlineData("\"id\":\"a\u0085\"", "\"id\" must be Unicode text")]
    [InlineData("\"id\":\"a\\ufffe\"", "\"id\" must be Unicode text")]
    [InlineData("\"id\":\"a\\ud83f\\udffe\"", "\"id\" must be Unicode text")]
    [InlineData("\"id\":\"a\\ud83f\"", "surrogate")]
    [InlineData("\"source\":\"\"", "\"source\" must be a URI reference")]
    [InlineData("\"source\":\"a b\"", "\"source\" must be a URI reference")]
    [InlineData("\"source\":\"/100%\"", "\"source\" must be a URI reference")]
    [InlineData("\"source\":[\"/s\"]", "\"source\" must be a string")]
    [InlineData("\"type\":\"\"", "\"type\" must have 1 to 100")]
    [InlineData("\"type\":\"a\\tb\"", "\"type\" must be Unicode text")]
    [InlineData("\"subject\":\"\"", "\"subject\" must not be empty")]
    [InlineData("\"subject\":1", "\"subject\" must be a string")]
    [InlineData("\"time\":\"yesterday\"", "\"time\" must be a time")]
    [InlineData("\"time\":\"2026-01-02T03:04:05\"", "\"time\" must be a time")]
    [InlineData("\"time\":1767323045", "\"time\" must be a string")]
    [InlineData("\"dataschema\":\"\"", "\"dataschema\" must be a URI")]
    [InlineData("\"dataschema\":\"/relative\"", "\"dataschema\" must be a URI")]
    [InlineData("\"datacontenttype\":\"json\"", "\"datacontenttype\" must be a media type")]
    [InlineData("\"datacontenttype\":\"text/plain; charset\"", "\"datacontenttype\" must be a media type")]
    [InlineData("\"datacontenttype\":\"text/plain, text/html\"", "\"datacontenttype\" must be a media type")]
    [InlineData("\"critical\":\"yes\"", "\"critical\" must be true or false")]
    [InlineData("\"critical\":1", "\"critical\" must be true or false")]
    [InlineData("\"my_name\":\"x\"", "\"my_name\" is no attribute's name")]
    [InlineData("\"myName\":\"x\"", "\"myName\" is no attribute's name")]
    [InlineData("\"\":\"x\"", "\"\" is no attribute's name")]
    [InlineData("\"n\u00e4me\":null", "is no attribute's name")]
    [InlineData("\"ext\":1.5", "\"ext\" must be a string, a boolean or a whole number")]
    [InlineData("\"ext\":2147483648", "\"ext\" must be a string, a boolean or a whole number")]
    [InlineData("\"ext\":[1]", "\"ext\" must be a string, a boolean or a whole number")]
    [InlineData("\"ext\":1,\"ext\":1", "\"ext\" is given twice")]
    [InlineData("\"ext\":1,\"\\u0065xt\":\"a\"", "\"ext\" is given twice")]
    [InlineData("\"type\":\"a\",\"type\":\"a\"", "\"type\" is given twice")]
    [InlineData("\"data\":1,\"data\":1", "\"data\" is given twice")]
    [InlineData("\"data\":null,\"data_base64\":\"\"", "\"data\" and \"data_base64\" are both given")]
    [InlineData("\"data_base64\":\"YQ==\",\"data_base64\":\"YQ==\",\"data\":1", "\"data_base64\" is given twice")]
    [InlineData("\"data_base64\":\"YQ=\"", "\"data_base64\" must be a string in Base64")]
    [InlineData("\"data_base64\":\"Y Q==\"", "\"data_base64\" must be a string in Base64")]
    [InlineData("\"data_base64\":\"YQ==\\n\"", "\"data_base64\" must be a string in Base64")]
    [InlineData("\"data_base64\":\"-_-_\"", "\"data_base64\" must be a string in Base64")]
    [InlineData("\"data_base64\":1", "\"data_base64\" must be a string in Base64")]
    [InlineData("\"data\":[1", "malformed JSON")]
    public async Task A_malformed_attribute_is_refused_by_its_name_and_index(string members, string why)
    {
        string[] names = ["specversion", "type", "id", "source", "data"];
        var whole = names.Where(name => !members.Contains($"\"{name}\":", StringComparison.Ordinal)
                && !(name == "data" && members.Contains("data_base64", StringComparison.Ordinal)))
            .Select(name => $"\"{name}\":{(name == "data" ? "1" : name == "specversion" ? "\"1.0\"" : "\"x\"")}");
        var bad = $"{{{string.Join(',', [.. whole, members])}}}";
        Expect(await _server.Structured("refused", bad), why);
        Expect(await _server.Batch("refused", $"[{Good},{bad},{Good}]"),
            why.StartsWith('"') ? $"Event 1: {why}" : why);
        (await _server.Get("/api/streams/refused")).MustRefuse(404, "NOT_FOUND");
    }

    [Theory]
    [InlineData("application/cloudevents+json", "[]", "must be a JSON object")]
    [InlineData("application/cloudevents+json", "[" + Good + "]", "must be a JSON object")]
    [InlineData("application/cloudevents+json", "5", "must be a JSON object")]
    [InlineData("application/cloudevents+json", "", "holds no event")]
    [InlineData("application/cloudevents+json", Good + Good, "malformed JSON")]
    [InlineData("application/cloudevents-batch+json", Good, "must be a JSON array")]
    [InlineData("application/cloudevents-batch+json", "[]", "holds no event")]
    [InlineData("application/cloudevents-batch+json", "[" + Good + ",5]", "Event 1: a CloudEvent must be a JSON")]
    [InlineData("application/cloudevents-batch+json", "[" + Good + ",", "Event 1: malformed JSON")]
    public async Task A_body_of_another_form_is_refused(string type, string body, string why)
    {
        Expect(await _server.Binary("forms", type, Encoding.UTF8.GetBytes(body)), why);
        (await _server.Get("/api/streams/forms")).MustRefuse(404, "NOT_FOUND");
    }

    /// <summary>An empty value stands for a header that is left out.</summary>
    [Theory]
    [InlineData("ce-specversion", "", "\"specversion\" is missing")]
    [InlineData("ce-id", "", "\"id\" is missing")]
    [InlineData("ce-source", "", "\"source\" is missing")]
    [InlineData("ce-type", "", "\"type\" is missing")]
    [InlineData("ce-specversion", "1.1", "\"specversion\" must be \"1.0\"")]
    [InlineData("ce-id", "a%0Ab", "\"id\" must be Unicode text")]
    [InlineData("ce-source", "/a%20b", "\"source\" must be a URI reference")]
    [InlineData("ce-subject", "100%", "\"subject\" must be a header in UTF-8, percent-encoded")]
    [InlineData("ce-subject", "%4", "\"subject\" must be a header in UTF-8, percent-encoded")]
    [InlineData("ce-subject", "%zz", "\"subject\" must be a header in UTF-8, percent-encoded")]
    [InlineData("ce-subject", "%+1", "\"subject\" must be a header in UTF-8, percent-encoded")]
    [InlineData("ce-subject", "%C0%A0", "\"subject\" must be a header in UTF-8, percent-encoded")]
    [InlineData("ce-subject", "%ED%A0%80", "\"subject\" must be a header in UTF-8, percent-encoded")]
    [InlineData("ce-subject", "\"open", "\"subject\" must be a header in UTF-8, percent-encoded")]
    [InlineData("ce-subject", "\"a\" b", "\"subject\" must be a header in UTF-8, percent-encoded")]
    [InlineData("ce-subject", "\"a\\\"", "\"subject\" must be a header in UTF-8, percent-encoded")]
    [InlineData("ce-time", "12:00", "\"time\" must be a time")]
    [InlineData("ce-critical", "TRUE", "\"critical\" must be true or false")]
    [InlineData("ce-data", "1", "\"data\" is no attribute's name")]
    [InlineData("ce-data_base64", "YQ==", "\"data_base64\" is no attribute's name")]
    [InlineData("ce-my-name", "x", "\"my-name\" is no attribute's name")]
    [InlineData("ce-datacontenttype", "text/plain", "\"datacontenttype\" must be the Content-Type")]
    public async Task A_malformed_header_is_refused_by_its_name(string name, string value, string why)
    {
        var headers = CloudEventPublishing.Required.Where(each => each.Item1 != name).ToList();
        if (value.Length > 0) headers.Add((name, value));
        Expect(await _server.Binary("headers", "application/json", "1"u8.ToArray(), [.. headers]), why);
        (await _server.Get("/api/streams/headers")).MustRefuse(404, "NOT_FOUND");
    }

    [Theory]
    [InlineData("application/json", "{\"a\":}", "\"data\" is malformed JSON")]
    [InlineData("application/json", "1 2", "\"data\" is malformed JSON")]
    [InlineData("application/json", " ", "\"data\" is malformed JSON")]
    [InlineData("application/json", "\"\\ud800\"", "surrogate")]
    [InlineData("nonsense", "1", "\"datacontenttype\" must be a media type")]
    public async Task Data_that_is_not_what_its_type_says_is_refused(string type, string body, string why)
    {
        Expect(await _server.Binary("data", type, Encoding.UTF8.GetBytes(body), CloudEventPublishing.Required), why);
        (await _server.Get("/api/streams/data")).MustRefuse(404, "NOT_FOUND");
    }

    [Theory]
    [InlineData("application/json")]
    [InlineData("text/plain")]
    public async Task Text_that_is_no_utf8_is_refused(string type) => Expect(
        await _server.Binary("data", type, [(byte)'"', 0xC3, (byte)'"'], CloudEventPublishing.Required), "UTF-8");

    [Fact]
    public async Task A_header_may_come_once_only()
    {
        using var connection = await _server.Connect();
        await connection.Request("POST", "/api/streams/twice/events", "1", string.Concat(
            CloudEventPublishing.Required.Append(("CE-ID", "2")).Select(each => $"{each.Item1}: {each.Item2}\r\n")));
        Expect(await connection.Receive(), "\"id\" is given twice");
    }

    [Fact]
    public async Task An_event_has_100_attributes_at_most()
    {
        var extensions = string.Concat(Enumerable.Range(0, 96).Select(i => $"\"x{i}\":{i},"));
        Expect(await _server.Structured("many", Good.Insert(1, $"\"y\":1,{extensions}")), "more than 100 attributes");
        (await _server.Structured("many", Good.Insert(1, extensions))).Must(System.Net.HttpStatusCode.Created);
    }

    private static void Expect(Answer answer, string why) => Assert.Contains(why,
        answer.MustRefuse(400, "INVALID_INPUT").GetProperty("detail").GetString(), StringComparison.Ordinal);
}
