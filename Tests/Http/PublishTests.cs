using System.Net;
using System.Text;
using System.Text.Json;
using Xunit;

namespace OrleansEvents.Tests.Http;

public sealed class PublishTests(SharedServer shared) : IClassFixture<SharedServer>
{
    private readonly TestServer _server = shared.Server;

    [Fact]
    public async Task One_event_is_answered_with_where_it_is()
    {
        var answer = (await _server.TryPublish("one", """{"type":"t","data":{"a":1}}""")).Must(HttpStatusCode.Created);
        Assert.Equal("application/json", answer.Header("Content-Type"));
        Assert.Equal(["stream", "first", "last", "cursor", "count", "duplicates", "durable"],
            answer.Json.EnumerateObject().Select(member => member.Name));
        Assert.Equal("one", answer.Json.GetProperty("stream").GetString());
        Assert.Equal(1, answer.Json.GetProperty("count").GetInt32());
        Assert.Equal(0, answer.Json.GetProperty("duplicates").GetInt32());
        Assert.False(answer.Json.GetProperty("durable").GetBoolean());
        var @event = (await _server.Poll("one")).GetProperty("events")[0];
        Assert.Equal(answer.Json.GetProperty("cursor").GetString(), @event.GetProperty("id").GetString());
        Assert.Equal(answer.Json.GetProperty("first").GetInt64(), @event.GetProperty("seq").GetInt64());
    }

    [Fact]
    public async Task An_event_comes_back_with_its_members_in_order()
    {
        await _server.Publish("members",
            """
            {"key":"k","data":[1,{"x":"é"}],"time":"2026-01-02T03:04:05.678+02:00","critical":true,
            "version":7,"type":"a b"}
            """);
        var text = (await _server.Poll("members")).GetProperty("events")[0].GetRawText();
        Assert.Matches("""^\{"id":"[A-Za-z0-9_-]+","seq":\d+,"stream":"members",""", text);
        Assert.EndsWith("""
            ,"type":"a b","version":7,"time":"2026-01-02T01:04:05.678Z","critical":true,"data":[1,{"x":"é"}],"key":"k"}
            """, text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_array_is_appended_next_to_each_other_and_in_order()
    {
        var answer = await _server.Publish("array", Given.Events(5), ("X-Unknown", "1"));
        Assert.Equal(5, answer.GetProperty("count").GetInt32());
        Assert.Equal(4, answer.GetProperty("last").GetInt64() - answer.GetProperty("first").GetInt64());
        Assert.Equal(["0", "1", "2", "3", "4"], await _server.DataOf("array"));
    }

    [Theory]
    [InlineData("application/x-ndjson")]
    [InlineData("application/x-ndjson; charset=UTF-8")]
    public async Task Lines_are_events(string type)
    {
        var stream = $"lines-{type.Length}";
        var lines = "{\"type\":\"t\",\"data\":0}\r\n\n {\"data\":1,\"type\":\"t\"}"u8;
        using var content = new ByteArrayContent(lines.ToArray());
        content.Headers.TryAddWithoutValidation("Content-Type", type);
        (await _server.Send(HttpMethod.Post, $"/api/streams/{stream}/events", content)).Must(HttpStatusCode.Created);
        Assert.Equal(["0", "1"], await _server.DataOf(stream));
    }

    [Fact]
    public async Task The_events_are_listed_when_asked_for()
    {
        await _server.Publish("listed", """{"type":"t","data":0,"key":"a"}""");
        var answer = (await _server.Post("/api/streams/listed/events?events=true",
            """[{"type":"t","data":0,"key":"a"},{"type":"t","data":1}]""")).Must(HttpStatusCode.Created).Json;
        var events = answer.GetProperty("events").EnumerateArray().ToArray();
        Assert.Equal([true, false], events.Select(each => each.GetProperty("duplicate").GetBoolean()));
        var stored = await _server.Events("listed");
        foreach (var member in new[] { "id", "seq" })
        {
            Assert.Equal(stored.Select(each => each.GetProperty(member).ToString()),
                events.Select(each => each.GetProperty(member).ToString()));
        }

        (await _server.Post("/api/streams/listed/events?events=maybe", """{"type":"t","data":0}"""))
            .MustRefuse(400, "INVALID_INPUT");
    }

    [Theory]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("[{\"type\":\"t\",\"data\":1},{\"type\":\"\",\"data\":1},{\"type\":\"t\",\"data\":1}]")]
    [InlineData("[{\"type\":\"t\",\"data\":1},{\"data\":1}]")]
    [InlineData("[{\"type\":\"t\",\"data\":1},{\"type\":\"t\"}]")]
    [InlineData("[{\"type\":\"t\",\"data\":1},{\"type\":\"t\",\"data\":1,\"colour\":2}]")]
    [InlineData("[{\"type\":\"t\",\"data\":1},{\"type\":\"t\",\"data\":1,\"version\":1000}]")]
    [InlineData("[{\"type\":\"t\",\"data\":1},{\"type\":\"t\",\"data\":1,\"key\":\"\"}]")]
    [InlineData("[{\"type\":\"t\",\"data\":1},{\"type\":\"t\",\"data\":1,\"time\":\"yesterday\"}]")]
    [InlineData("[{\"type\":\"t\",\"data\":1},{\"type\":\"t\",\"data\":1}")]
    [InlineData("{\"type\":\"t\",\"data\":1}{\"type\":\"t\",\"data\":1}")]
    public async Task One_bad_event_and_nothing_is_appended(string body)
    {
        (await _server.TryPublish("bad", body)).MustRefuse(400, "INVALID_INPUT");
        (await _server.Get("/api/streams/bad")).MustRefuse(404, "NOT_FOUND");
    }

    [Fact]
    public async Task Bytes_that_are_no_utf8_are_refused()
    {
        using var content = new ByteArrayContent([.. "{\"type\":\"t\",\"data\":\""u8, 0xC3, .. "\"}"u8]);
        content.Headers.TryAddWithoutValidation("Content-Type", "application/json");
        (await _server.Send(HttpMethod.Post, "/api/streams/utf8/events", content)).MustRefuse(400, "INVALID_INPUT");
    }

    [Theory]
    [InlineData("text/plain")]
    [InlineData("application/x-www-form-urlencoded")]
    [InlineData("application/json; charset=latin1")]
    [InlineData("nonsense")]
    public async Task Another_type_of_content_is_refused(string type)
    {
        using var content = new ByteArrayContent("{\"type\":\"t\",\"data\":1}"u8.ToArray());
        content.Headers.TryAddWithoutValidation("Content-Type", type);
        (await _server.Send(HttpMethod.Post, "/api/streams/types/events", content)).MustRefuse(415, "INVALID_INPUT");
    }

    [Fact]
    public async Task A_coded_body_is_refused()
    {
        using var content = new ByteArrayContent([0x1f, 0x8b, 8]);
        content.Headers.TryAddWithoutValidation("Content-Type", "application/json");
        content.Headers.TryAddWithoutValidation("Content-Encoding", "gzip");
        (await _server.Send(HttpMethod.Post, "/api/streams/types/events", content)).MustRefuse(415, "INVALID_INPUT");
    }

    [Theory]
    [InlineData("a..b")]
    [InlineData(".a")]
    [InlineData("a%2Fb")]
    [InlineData("a%20b")]
    [InlineData("sm%C3%B6r")]
    [InlineData("a*")]
    [InlineData("a.$b")]
    public async Task A_bad_name_is_refused(string name)
    {
        (await _server.TryPublish(name, """{"type":"t","data":1}""")).MustRefuse(400, "INVALID_INPUT");
        (await _server.Get($"/api/streams/{name}")).MustRefuse(400, "INVALID_INPUT");
        (await _server.Put($"/api/streams/{name}", "{}")).MustRefuse(400, "INVALID_INPUT");
    }

    [Fact]
    public async Task A_name_has_200_characters_at_most()
    {
        await _server.Publish(new string('n', 200), """{"type":"t","data":1}""");
        (await _server.TryPublish(new string('n', 201), """{"type":"t","data":1}""")).MustRefuse(400, "INVALID_INPUT");
    }

    [Fact]
    public async Task The_servers_own_streams_are_not_written_to()
    {
        (await _server.TryPublish("$system", """{"type":"t","data":1}""")).MustRefuse(403, "PERMISSION_DENIED");
        (await _server.Put("/api/streams/$system", "{}")).MustRefuse(403, "PERMISSION_DENIED");
        (await _server.Delete("/api/streams/$system")).MustRefuse(403, "PERMISSION_DENIED");
        (await _server.Post("/api/streams/$system/complete")).MustRefuse(403, "PERMISSION_DENIED");
        (await _server.Get("/api/streams/$system/events")).Must(HttpStatusCode.OK);
    }

    [Fact]
    public async Task Pipelined_requests_are_all_answered_and_in_order()
    {
        const int Requests = 60;
        var all = new StringBuilder();
        for (var i = 0; i < Requests; i++)
        {
            // Every third waits for storage, and nothing may pass it.
            var critical = i % 3 == 0 ? "true" : "false";
            all.Append(RawConnection.RequestText("POST", "/api/streams/pipe/events",
                $$"""{"type":"t","data":{{i}},"critical":{{critical}}}"""));
        }
        using var connection = await _server.Connect();
        await connection.Send(all.ToString());
        var seqs = new List<long>();
        for (var i = 0; i < Requests; i++)
            seqs.Add((await connection.Receive()).Must(HttpStatusCode.Created).Json.GetProperty("first").GetInt64());
        Assert.Equal(seqs.Order().Distinct(), seqs);
        Assert.Equal(Enumerable.Range(0, Requests).Select(i => $"{i}"), await _server.DataOf("pipe"));
    }

    [Fact]
    public async Task A_refusal_in_a_pipeline_stops_nothing()
    {
        using var connection = await _server.Connect();
        await connection.Send(string.Concat(new[] { "{\"type\":\"t\",\"data\":0}", "{}", "{\"type\":\"t\",\"data\":1}" }
            .Select(body => RawConnection.RequestText("POST", "/api/streams/pipe2/events", body))));
        (await connection.Receive()).Must(HttpStatusCode.Created);
        (await connection.Receive()).MustRefuse(400, "INVALID_INPUT");
        (await connection.Receive()).Must(HttpStatusCode.Created);
        Assert.Equal(["0", "1"], await _server.DataOf("pipe2"));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_request_that_is_cut_off_appends_nothing(bool chunked)
    {
        var stream = chunked ? "cut-chunked" : "cut-length";
        var body = string.Concat(Enumerable.Range(0, 100).Select(i => $"{{\"type\":\"t\",\"data\":{i}}}\n"));
        var head = $"POST /api/streams/{stream}/events HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\n";
        foreach (var reset in new[] { true, false })
        {
            using var connection = await _server.Connect();
            // Whole lines have arrived: only the end is missing.
            await connection.Send(chunked
                ? $"{head}Transfer-Encoding: chunked\r\n\r\n{body.Length:x}\r\n{body}\r\n"
                : $"{head}Content-Length: {body.Length + 1}\r\n\r\n{body}");
            if (reset)
            {
                connection.Cut();
                continue;
            }
            connection.EndSending();
            try
            {
                (await connection.Receive()).MustRefuse(400, "INVALID_INPUT");
            }
            catch (IOException)
            {
                // Or not answered at all.
            }
        }
        await _server.Publish(stream, """{"type":"t","data":"after"}""");
        Assert.Equal(["\"after\""], await _server.DataOf(stream));
    }

    [Fact]
    public async Task Chunked_and_awaited_bodies_are_read()
    {
        using var connection = await _server.Connect();
        await connection.Send("POST /api/streams/chunks/events HTTP/1.1\r\nHost: x\r\n"
            + "Content-Type: application/json\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n");
        Assert.Equal(HttpStatusCode.Continue, (await connection.ReceiveHead()).Status);
        foreach (var part in new[] { "{\"type\":", "\"t\",\"da", "ta\":5}" })
            await connection.Send($"{part.Length:x}\r\n{part}\r\n");
        await connection.Send("0\r\n\r\n");
        (await connection.Receive()).Must(HttpStatusCode.Created);
        Assert.Equal(["5"], await _server.DataOf("chunks"));
    }
}
