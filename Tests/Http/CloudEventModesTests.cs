using System.Net;
using System.Text;
using System.Text.Json;
using FsCheck;
using FsCheck.Fluent;
using Xunit;

namespace OrleansEvents.Tests.Http;

public sealed class CloudEventModesTests(SharedServer shared) : IClassFixture<SharedServer>
{
    private const int Events = 150;

    private static readonly string[] s_texts =
        ["a", "com.example.x", "\"quoted\"", "back\\slash", "Euro € 😀", "100%", "%41", " a ", "</s>", "a,b;c"];

    private static readonly (string ContentType, string? Json, byte[] Body, bool IsBase64)[] s_data =
    [
        ("application/json", """{"a":[1,"é😀\n"],"b":null}""", """{"a":[1,"é😀\n"],"b":null}"""u8.ToArray(), false),
        ("application/json; charset=utf-8", "1e-7", "1e-7"u8.ToArray(), false),
        ("application/json", "null", "null"u8.ToArray(), false),
        ("application/json", null, [], false),
        ("text/plain", "\"é \\\"\\\\\"", "é \"\\"u8.ToArray(), false),
        ("application/xml", "\"<much wow=\\\"xml\\\"/>\"", "<much wow=\"xml\"/>"u8.ToArray(), false),
        ("application/octet-stream", "\"AP/+\"", [0, 0xFF, 0xFE], true),
        ("image/png", "\"iVBORw==\"", [0x89, 0x50, 0x4E, 0x47], true),
    ];

    private static readonly Gen<Sent> s_sent =
        from id in Gen.Elements(s_texts)
        from source in Gen.Elements("/s", "https://example.com/a?b=%20#c", "urn:uuid:1", "/é")
        from type in Gen.Elements(s_texts)
        from subject in Gen.Elements([null, .. s_texts])
        from time in Gen.Elements(null, "2026-01-02T03:04:05.678901+02:00", "1999-12-31t23:59:60z")
        from schema in Gen.Elements(null, "https://example.com/schema")
        from trace in Gen.Elements(null, "00-0af7651916cd43dd8448eb211c80319c-b9c7c989f97918e1-01", "bad")
        from critical in Gen.Elements(null, "true", "false")
        from extension in Gen.Elements([null, .. s_texts])
        from data in Gen.Elements(s_data)
        select new Sent(id, source, type, data.ContentType, data.Json, data.Body, data.IsBase64, new()
        {
            ["subject"] = subject, ["time"] = time, ["dataschema"] = schema, ["traceparent"] = trace,
            ["critical"] = critical, ["zz9"] = extension,
        });

    private readonly TestServer _server = shared.Server;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task The_same_event_is_kept_alike_in_every_mode(int seed)
    {
        var sent = s_sent.Sample(Events, new Rnd((ulong)seed), 50)
            .Select((each, number) => each with { Id = $"{each.Id} {number}" }).ToList();
        string[] streams = [$"structured-{seed}", $"binary-{seed}", $"batch-{seed}"];
        foreach (var stream in streams) await _server.Put($"/api/streams/{stream}", """{"buffer":1000}""");
        foreach (var each in sent)
        {
            (await _server.Structured(streams[0], each.Json())).Must(HttpStatusCode.Created);
            (await _server.Binary(streams[1], each.ContentType, each.Body, each.Headers()))
                .Must(HttpStatusCode.Created);
        }
        (await _server.Batch(streams[2], $"[{string.Join(',', sent.Select(each => each.Json()))}]"))
            .Must(HttpStatusCode.Created);
        var kept = await Kept(streams[0]);
        Assert.Equal(Events, kept.Length);
        Assert.Equal(kept, await Kept(streams[1]));
        Assert.Equal(kept, await Kept(streams[2]));
        Assert.All(sent.Zip(kept), pair => pair.First.MustBeRebuiltFrom(pair.Second));
    }

    /// <summary>The events without what their stream gave them: number, cursor, and the time if they had
    /// none.</summary>
    private async Task<string[]> Kept(string stream) => [.. (await _server.Events(stream)).Select(each =>
    {
        var hasTime = each.GetProperty("cloudevent").TryGetProperty("time", out _);
        return string.Join('\n', each.EnumerateObject()
            .Where(member => member.Name is not ("id" or "seq" or "stream") && (hasTime || member.Name != "time"))
            .Select(member => member.ToString()));
    })];

    public sealed record Sent(string Id, string Source, string Type, string ContentType, string? Data, byte[] Body,
        bool IsBase64, Dictionary<string, string?> Others)
    {
        public string Json()
        {
            var members = Attributes().Select(each => $"{Quoted(each.Key)}:{Quoted(each.Value)}")
                .Append($"\"datacontenttype\":{Quoted(ContentType)}").ToList();
            if (Data is not null) members.Add($"\"{(IsBase64 ? "data_base64" : "data")}\": {Data}");
            // Any order will do; this one is another for another event.
            return "{" + string.Join(", ", members.OrderBy(member => member.Length * 7 % 5)) + "}";
        }

        public (string, string)[] Headers() =>
            [.. Attributes().Select(each => ($"ce-{each.Key}", Uri.EscapeDataString(each.Value)))];

        /// <summary>By the rule of the contract: the attributes of <c>cloudevent</c>, the type, and the data.</summary>
        public void MustBeRebuiltFrom(string kept)
        {
            var members = kept.Split('\n').ToDictionary(line => JsonSerializer.Deserialize<string>(
                line[..line.IndexOf(':', StringComparison.Ordinal)])!, line =>
                JsonSerializer.Deserialize<JsonElement>(line[(line.IndexOf(':', StringComparison.Ordinal) + 1)..]));
            var rebuilt = members["cloudevent"].EnumerateObject().Where(member => member.Name != "data_base64")
                .ToDictionary(member => member.Name, member => member.Value.GetString()!);
            rebuilt["type"] = members["type"].GetString()!;
            var expected = Attributes().Append(new("datacontenttype", ContentType));
            Assert.Equal(expected.OrderBy(each => each.Key), rebuilt.OrderBy(each => each.Key));
            Assert.Equal(IsBase64, members["cloudevent"].TryGetProperty("data_base64", out _));
            Assert.True(JsonElement.DeepEquals(JsonSerializer.Deserialize<JsonElement>(Data ?? "null"),
                members["data"]), kept);
        }

        private IEnumerable<KeyValuePair<string, string>> Attributes() =>
            new Dictionary<string, string?>(Others)
            {
                ["specversion"] = "1.0", ["id"] = Id, ["source"] = Source, ["type"] = Type,
            }.Where(each => each.Value is not null).Select(each => new KeyValuePair<string, string>(each.Key,
                each.Value!));

        private static string Quoted(string text) => JsonSerializer.Serialize(text);
    }
}
