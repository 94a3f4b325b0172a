using System.Net;
using System.Text;
using System.Text.Json;
using Xunit;

namespace OrleansEvents.Tests.Http;

public sealed class CloudEventTests(SharedServer shared) : IClassFixture<SharedServer>
{
    private const string Whole = """
        {"specversion":"1.0","type":"com.example.paid","id":"A-1","source":"https://example.com/shop","subject":"o/7",
         "time":"2026-01-02T03:04:05.678901+02:00","datacontenttype":"application/json; charset=utf-8",
         "dataschema":"https://example.com/schema","data":{"n":
         1},"zone":"é\u0041","count":-5,"flag":true,"none":null,"critical":true,"version":7}
        """;

    private const string KeptWhole = """
        {"specversion":"1.0","id":"A-1","source":"https://example.com/shop","subject":"o/7",
        "time":"2026-01-02T03:04:05.678901+02:00","datacontenttype":"application/json; charset=utf-8",
        "dataschema":"https://example.com/schema","count":-5,"critical":true,"flag":true,"version":7,"zone":"éA"}
        """;

    private readonly TestServer _server = shared.Server;

    [Fact]
    public async Task A_structured_event_comes_back_with_its_attributes()
    {
        (await _server.Structured("whole", Whole)).Must(HttpStatusCode.Created);
        var text = (await _server.Events("whole"))[0].GetRawText();
        Assert.EndsWith(
            ""","type":"com.example.paid","version":7,"time":"2026-01-02T01:04:05.678Z","critical":true,"""
            + "\"data\":{\"n\":  1},\"key\":\"https://example.com/shop A-1\",\"cloudevent\":"
            + KeptWhole.Replace("\n", "", StringComparison.Ordinal) + "}", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_an_event_does_not_say_is_not_made_up()
    {
        (await _server.Structured("least", """{"type":"t","source":"s","id":"i","specversion":"1.0"}"""))
            .Must(HttpStatusCode.Created);
        var least = (await _server.Events("least"))[0];
        Assert.Equal("""{"specversion":"1.0","id":"i","source":"s"}""", least.GetProperty("cloudevent").GetRawText());
        Assert.Equal(JsonValueKind.Null, least.GetProperty("data").ValueKind);
        Assert.Equal((1, false), (least.GetProperty("version").GetInt32(), least.GetProperty("critical").GetBoolean()));
    }

    [Fact]
    public async Task A_batch_is_appended_together_and_in_order()
    {
        var events = Enumerable.Range(0, 5).Select(Numbered);
        var answer = (await _server.Batch("batch", $"[{string.Join(",\r\n", events)}]"))
            .Must(HttpStatusCode.Created).Json;
        Assert.Equal(5, answer.GetProperty("count").GetInt32());
        Assert.Equal(["0", "1", "2", "3", "4"], await _server.DataOf("batch"));
    }

    [Theory]
    [InlineData("application/json", "{\"a\":\r\n[1,\"é\"]}", """{"a":  [1,"é"]}""", false)]
    [InlineData("application/vnd.x+json", "5", "5", false)]
    [InlineData("text/json;charset=\"UTF-8\"", "\ufeff\"I'm a string\"", "\"I'm a string\"", false)]
    [InlineData("text/plain", "a \"b\"\\\r\n\0é", "\"a \\\"b\\\"\\\\\\u000d\\u000a\\u0000é\"", false)]
    [InlineData("image/svg+xml", "<svg/>", "\"<svg/>\"", false)]
    [InlineData("application/x-ndjson", "1\n2", "\"1\\u000a2\"", false)]
    [InlineData("application/custom; charset=utf-8", "é", "\"é\"", false)]
    [InlineData("text/plain; charset=iso-8859-1", "é", "\"w6k=\"", true)]
    [InlineData("application/octet-stream", "{}", "\"e30=\"", true)]
    [InlineData(null, "{}", "\"e30=\"", true)]
    [InlineData("application/json", "", "null", false)]
    [InlineData("application/octet-stream", "", "null", false)]
    public async Task Data_in_binary_mode_is_kept_by_its_type(string? type, string body, string data, bool isBase64)
    {
        var stream = $"binary-{Convert.ToHexString(Encoding.UTF8.GetBytes(type + data))}";
        (await _server.Binary(stream, type, Encoding.UTF8.GetBytes(body), CloudEventPublishing.Required))
            .Must(HttpStatusCode.Created);
        var @event = (await _server.Events(stream))[0];
        Assert.Equal(data, @event.GetProperty("data").GetRawText());
        var kept = @event.GetProperty("cloudevent");
        Assert.Equal(type, kept.TryGetProperty("datacontenttype", out var named) ? named.GetString() : null);
        Assert.Equal(isBase64, kept.TryGetProperty("data_base64", out var marked) && marked.GetBoolean());
    }

    [Fact]
    public async Task Headers_are_unquoted_and_percent_decoded_once()
    {
        (await _server.Binary("headers", "application/json", "1"u8.ToArray(), [.. CloudEventPublishing.Required,
            ("CE-Subject", "Euro%20%E2%82%AC%20%f0%9f%98%80"), ("ce-quoted", "\"a \\\"b\\\\ %2541\""),
            ("ce-traceparent", "no"), ("ce-critical", "true"), ("ce-version", "12")])).Must(HttpStatusCode.Created);
        var @event = (await _server.Events("headers"))[0];
        var kept = @event.GetProperty("cloudevent");
        Assert.Equal("Euro € 😀", kept.GetProperty("subject").GetString());
        Assert.Equal("a \"b\\ %41", kept.GetProperty("quoted").GetString());
        Assert.Equal("no", kept.GetProperty("traceparent").GetString());
        Assert.False(@event.TryGetProperty("traceparent", out _));
        Assert.Equal(12, @event.GetProperty("version").GetInt32());
        Assert.True(@event.GetProperty("critical").GetBoolean());
    }

    [Fact]
    public async Task Source_and_id_are_the_key()
    {
        var first = (await _server.Structured("identity", Numbered(1))).Must(HttpStatusCode.Created).Json;
        await _server.Structured("identity", Numbered(2));
        // The same in another mode, as a retry may come.
        var again = (await _server.Binary("identity", "application/json", "1"u8.ToArray(), ("ce-specversion", "1.0"),
            ("ce-id", "1"), ("ce-source", "/s"), ("ce-type", "t"))).Must(HttpStatusCode.Created).Json;
        Assert.Equal((0, 1), (again.GetProperty("count").GetInt32(), again.GetProperty("duplicates").GetInt32()));
        Assert.Equal(first.GetProperty("cursor").GetString(), again.GetProperty("cursor").GetString());
        (await _server.Structured("identity", Numbered(1).Replace("data\":1", "data\":3", StringComparison.Ordinal)))
            .MustRefuse(409, "KEY_CONFLICT");
        Assert.Equal(["1", "2"], await _server.DataOf("identity"));
    }

    [Fact]
    public async Task An_identity_that_is_too_long_for_a_key_is_known_by_its_hash()
    {
        foreach (var length in new[] { 197, 198, 5_000 })
        {
            var id = new string('é', length);
            var json = $$"""{"specversion":"1.0","type":"t","source":"/s","id":"{{id}}","data":{{length}}}""";
            (await _server.Structured("long", json)).Must(HttpStatusCode.Created);
            (await _server.Structured("long", json)).Must(HttpStatusCode.Created);
            var last = (await _server.Events("long"))[^1];
            Assert.Equal(id, last.GetProperty("cloudevent").GetProperty("id").GetString());
            var key = last.GetProperty("key").GetString()!;
            if (length == 197) Assert.Equal($"/s {id}", key);
            else Assert.Matches("^sha256:[0-9a-f]{64}$", key);
        }
        Assert.Equal(["197", "198", "5000"], await _server.DataOf("long"));
    }

    [Fact]
    public async Task Bytes_are_marked_and_may_have_any_type()
    {
        (await _server.Structured("bytes", """
            {"specversion":"1.0","type":"t","id":"1","source":"/s","datacontenttype":"application/x-thrift",
             "data_base64":"AP\/\u002b"}
            """)).Must(HttpStatusCode.Created);
        var @event = (await _server.Events("bytes"))[0];
        Assert.Equal("\"AP/+\"", @event.GetProperty("data").GetRawText());
        Assert.Equal("""
            {"specversion":"1.0","id":"1","source":"/s","datacontenttype":"application/x-thrift","data_base64":true}
            """, @event.GetProperty("cloudevent").GetRawText());
    }

    [Fact]
    public async Task A_structured_event_may_have_headers_too_and_they_mean_nothing()
    {
        (await _server.Structured("both", Numbered(5), ("ce-id", "other"), ("ce-bad_name", "x")))
            .Must(HttpStatusCode.Created);
        Assert.Equal("/s 5", (await _server.Events("both"))[0].GetProperty("key").GetString());
    }

    [Theory]
    [InlineData("application/cloudevents")]
    [InlineData("application/cloudevents+xml")]
    [InlineData("application/cloudevents-batch+avro")]
    [InlineData("application/cloudevents+json; charset=latin1")]
    public async Task A_format_that_is_not_known_is_refused(string type)
    {
        var body = Encoding.UTF8.GetBytes(Numbered(1));
        (await _server.Binary("formats", type, body)).MustRefuse(415, "INVALID_INPUT");
        (await _server.Binary("formats", type, body, CloudEventPublishing.Required)).MustRefuse(415, "INVALID_INPUT");
    }

    [Fact]
    public async Task A_coded_body_is_refused()
    {
        using var connection = await _server.Connect();
        await connection.Request("POST", "/api/streams/coded/events", "1", "Content-Encoding: gzip\r\n" + string.Concat(
            CloudEventPublishing.Required.Select(each => $"{each.Item1}: {each.Item2}\r\n")));
        (await connection.Receive()).MustRefuse(415, "INVALID_INPUT");
    }

    [Fact]
    public async Task The_limits_hold_in_every_mode()
    {
        await using var server = await TestServer.Start("--Limits:EventBytes", "300", "--Limits:RequestEvents", "3",
            "--Limits:RequestBytes", "2048");
        (await server.Batch("s", $"[{string.Join(',', Enumerable.Range(0, 4).Select(Numbered))}]"))
            .MustRefuse(413, "EVENT_TOO_LARGE");
        (await server.Structured("s", Numbered(1).Insert(1, $"\"x\":\"{new string('x', 300)}\",")))
            .MustRefuse(413, "EVENT_TOO_LARGE");
        var room = 300 - """t{"specversion":"1.0","id":"1","source":"/s","data_base64":true}""".Length;
        var most = new byte[(room - 2) / 4 * 3];
        (await server.Binary("s", null, [.. most, 1], CloudEventPublishing.Required))
            .MustRefuse(413, "EVENT_TOO_LARGE");
        (await server.Binary("s", null, new byte[301], CloudEventPublishing.Required))
            .MustRefuse(413, "EVENT_TOO_LARGE");
        (await server.Binary("s", "application/json", "1"u8.ToArray(),
            [.. CloudEventPublishing.Required, ("ce-x", new string('x', 300))])).MustRefuse(413, "EVENT_TOO_LARGE");
        (await server.Structured("s", new string(' ', 2049))).MustRefuse(413, "EVENT_TOO_LARGE");
        (await server.Binary("s", null, most, CloudEventPublishing.Required)).Must(HttpStatusCode.Created);
        Assert.Single(await server.DataOf("s"));
    }

    private static string Numbered(int number) =>
        $$"""{"specversion":"1.0","type":"t","id":"{{number}}","source":"/s","data":{{number}}}""";
}
