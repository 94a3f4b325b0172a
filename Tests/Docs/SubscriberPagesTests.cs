using System.Net;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using OrleansEvents.Streams;
using OrleansEvents.Tests.Http;
using Xunit;

namespace OrleansEvents.Tests.Docs;

/// <summary>What the contract and the OpenAPI document say of subscribers is what the code does.</summary>
public sealed partial class SubscriberPagesTests
{
    private const string Subscriber = "/api/streams/s/subscribers/n";

    private static readonly JsonElement s_schemas = JsonSerializer.Deserialize<JsonElement>(
        Documents.Read("Api/OpenApi/openapi.json")).GetProperty("components").GetProperty("schemas");

    private static readonly JsonProperty[] s_default = [.. JsonSerializer.Deserialize<JsonElement>(
        SubscriberPolicy.Default.ToJson().Span).EnumerateObject()];

    [Fact]
    public void The_contract_lists_every_member_of_the_policy_with_its_default()
    {
        var told = Row().Matches(Documents.Read("docs/contract.md").Split("## 6.")[0].Split("## 5.")[1])
            .Select(row => (row.Groups[1].Value, Bare(row.Groups[2].Value)));
        Assert.Equal(s_default.Select(member => (member.Name, Bare(member.Value.GetRawText()))), told);
    }

    [Fact]
    public void The_document_has_the_members_of_the_policy_with_their_defaults()
    {
        var told = s_schemas.GetProperty("SubscriberPolicy").GetProperty("properties").EnumerateObject()
            .Select(member => (member.Name, Bare(member.Value.GetProperty("default").GetRawText())));
        Assert.Equal(s_default.Select(member => (member.Name, Bare(member.Value.GetRawText()))), told);
    }

    [Fact]
    public void The_bounds_in_the_document_are_taken_and_what_lies_beyond_is_refused()
    {
        var checkedMembers = 0;
        foreach (var member in s_schemas.GetProperty("SubscriberPolicy").GetProperty("properties").EnumerateObject())
        {
            if (!member.Value.TryGetProperty("minimum", out var least)) continue;
            var most = member.Value.GetProperty("maximum").GetDecimal();
            Assert.True(Takes(member.Name, least.GetDecimal()) && Takes(member.Name, most), member.Name);
            Assert.False(Takes(member.Name, 0) || Takes(member.Name, most + 1), member.Name);
            checkedMembers++;
        }
        Assert.Equal(6, checkedMembers);
    }

    [Fact]
    public async Task Answers_about_subscribers_have_the_members_of_the_document()
    {
        await using var server = await TestServer.Start();
        Is("Subscriber", (await server.Put(Subscriber, """{"maxAttempts":1}""")).Must(HttpStatusCode.Created).Json);
        var id = (await server.Publish("s", Given.Critical(1))).GetProperty("cursor").GetString();
        await server.Poll("s", "subscriber=n");
        Is("SubscriberPage", await server.GetJson($"{Subscriber}/pending"));
        Is("Nacked", (await server.Post($"{Subscriber}/nack", Ids(id))).Must(HttpStatusCode.OK).Json);
        await Eventually.True(async () =>
            (await server.GetJson(Subscriber)).GetProperty("deadLetters").GetInt32() == 1);
        Is("SubscriberPage", await server.GetJson($"{Subscriber}/dead-letters"));
        Is("Acked", (await server.Post($"{Subscriber}/ack", Ids(id))).Must(HttpStatusCode.OK).Json);
        Is("Subscriber", await server.GetJson(Subscriber));
        Assert.Equal(0, (await server.Post($"{Subscriber}/dead-letters/replay", "{}")).Must(HttpStatusCode.OK).Json
            .GetProperty("replayed").GetInt32());
        Assert.Equal(0, (await server.Delete($"{Subscriber}/dead-letters")).Must(HttpStatusCode.OK).Json
            .GetProperty("purged").GetInt32());
    }

    private static string Ids(string? id) => $$"""{"ids":["{{id}}"]}""";

    /// <summary>A value however it is written.</summary>
    private static string Bare(string value) => Writing().Replace(value, "");

    private static bool Takes(string member, decimal value) => SubscriberPolicy.Default.TryApply(
        Encoding.UTF8.GetBytes($"{{\"{member}\":{value.ToString(System.Globalization.CultureInfo.InvariantCulture)}}}"),
        out _, out _);

    private static void Is(string schema, JsonElement value) => Is(s_schemas.GetProperty(schema), value, schema);

    /// <summary>Members required are there, and no others than those that are told, all the way down.</summary>
    private static void Is(JsonElement schema, JsonElement value, string at)
    {
        var (properties, required) = (new Dictionary<string, JsonElement>(), new List<string>());
        Collect(schema, properties, required);
        if (value.ValueKind == JsonValueKind.Array && Resolve(schema).TryGetProperty("items", out var items))
            foreach (var item in value.EnumerateArray()) Is(items, item, $"{at}[]");
        if (Resolve(schema).TryGetProperty("enum", out var words))
            Assert.Contains(value.GetString(), words.EnumerateArray().Select(word => word.GetString()));
        if (value.ValueKind != JsonValueKind.Object || properties.Count == 0) return;
        var names = value.EnumerateObject().Select(member => member.Name).ToList();
        Assert.True(!required.Except(names).Any(), $"{at} lacks {string.Join(',', required.Except(names))}");
        Assert.True(!names.Except(properties.Keys).Any(), $"{at}: {string.Join(',', names.Except(properties.Keys))}?");
        foreach (var member in value.EnumerateObject())
            Is(properties[member.Name], member.Value, $"{at}.{member.Name}");
    }

    private static void Collect(JsonElement schema, Dictionary<string, JsonElement> properties, List<string> required)
    {
        var resolved = Resolve(schema);
        if (resolved.TryGetProperty("allOf", out var parts))
            foreach (var part in parts.EnumerateArray()) Collect(part, properties, required);
        if (resolved.TryGetProperty("properties", out var own))
            foreach (var member in own.EnumerateObject()) properties[member.Name] = member.Value;
        if (resolved.TryGetProperty("required", out var names))
            required.AddRange(names.EnumerateArray().Select(name => name.GetString()!));
    }

    private static JsonElement Resolve(JsonElement schema) => schema.TryGetProperty("$ref", out var to)
        ? Resolve(s_schemas.GetProperty(to.GetString()!.Split('/')[^1])) : schema;

    [GeneratedRegex(@"[\s`"",]")]
    private static partial Regex Writing();

    [GeneratedRegex(@"^\| `(\w+)` \| ([^|]+) \| [^|]+", RegexOptions.Multiline)]
    private static partial Regex Row();
}
