using System.Net;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using OrleansEvents.Api.Problems;
using Xunit;

namespace OrleansEvents.Tests.Host;

public sealed partial class OpenApiTests
{
    private static readonly string[] s_methods = ["get", "head", "post", "put", "delete"];

    [Fact]
    public async Task Every_reference_in_the_document_leads_somewhere()
    {
        await using var server = await Given.Server();
        using var client = server.Client();
        var document = await Document(client);
        Assert.StartsWith("3.1.", document.GetProperty("openapi").GetString(), StringComparison.Ordinal);
        foreach (var reference in References(document))
        {
            var at = document;
            foreach (var name in reference.Split('/').Skip(1))
                Assert.True(at.TryGetProperty(name, out at), reference);
        }
    }

    [Fact]
    public async Task The_codes_in_the_document_are_those_of_answers()
    {
        await using var server = await Given.Server();
        using var client = server.Client();
        var codes = (await Document(client)).GetProperty("components").GetProperty("schemas").GetProperty("Problem")
            .GetProperty("properties").GetProperty("code").GetProperty("enum").EnumerateArray()
            .Select(code => code.GetString()!);
        Assert.Equal(ErrorCatalogue.All.Where(row => row.Status is not null).Select(row => row.WireName), codes);
    }

    [Fact]
    public async Task Every_operation_in_the_document_is_there()
    {
        await using var server = await Given.Server();
        using var client = server.Client();
        var missing = new List<string>();
        foreach (var path in (await Document(client)).GetProperty("paths").EnumerateObject())
        {
            var operations = path.Value.EnumerateObject().Select(operation => operation.Name);
            foreach (var method in operations.Where(s_methods.Contains))
            {
                if (await IsMissing(client, method, path.Name))
                    missing.Add($"{method} {path.Name}");
            }
        }

        Assert.Empty(missing);
    }

    [Fact]
    public async Task Every_route_is_in_the_document()
    {
        await using var server = await Given.Server();
        using var client = server.Client();
        var told = (await Document(client)).GetProperty("paths").EnumerateObject()
            .SelectMany(path => path.Value.EnumerateObject().Select(operation => Shape(operation.Name, path.Name)));
        // The page and its parts are no interface.
        string[] pages = ["GET /", "GET /page.js", "GET /page.css"];
        var mapped = server.App.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>()
            .SelectMany(route => (route.Metadata.GetMetadata<HttpMethodMetadata>()?.HttpMethods ?? [])
                .Select(method => Shape(method, route.RoutePattern.RawText!))).Except(pages).ToList();
        Assert.True(mapped.Count > 20, $"{mapped.Count} routes found");
        Assert.Empty(mapped.Except(told));
    }

    [Fact]
    public async Task Every_operation_is_named_once_and_declares_what_its_path_takes()
    {
        await using var server = await Given.Server();
        using var client = server.Client();
        var document = await Document(client);
        var names = new List<string?>();
        foreach (var path in document.GetProperty("paths").EnumerateObject())
        {
            var declared = path.Value.TryGetProperty("parameters", out var parameters)
                ? parameters.EnumerateArray().Select(each => Resolve(document, each))
                    .Where(each => each.GetProperty("in").GetString() == "path")
                    .Select(each => each.GetProperty("name").GetString()!) : [];
            Assert.Equal(Placeholder().Matches(path.Name).Select(match => match.Groups[1].Value).Order(),
                declared.Order());
            foreach (var operation in path.Value.EnumerateObject().Where(each => s_methods.Contains(each.Name)))
            {
                names.Add(operation.Value.GetProperty("operationId").GetString());
                Assert.NotEmpty(operation.Value.GetProperty("responses").EnumerateObject());
            }
        }
        Assert.Equal(names.Distinct(), names);
    }

    private static string Shape(string method, string path) =>
        $"{method.ToUpperInvariant()} {Placeholder().Replace(path.Length > 1 ? path.TrimEnd('/') : path, "{}")}";

    private static JsonElement Resolve(JsonElement document, JsonElement at) => at.TryGetProperty("$ref", out var to)
        ? to.GetString()!.Split('/').Skip(1).Aggregate(document, (from, name) => from.GetProperty(name)) : at;

    [GeneratedRegex(@"\{(\w+)\}")]
    private static partial Regex Placeholder();

    // A stream or a subscriber that is not there is a 404 too; only routing says that there is no such path.
    private static async Task<bool> IsMissing(HttpClient client, string method, string path)
    {
        var filled = path.Replace("{stream}", "openapi", StringComparison.Ordinal)
            .Replace("{name}", "reader", StringComparison.Ordinal).Replace("{id}", "1", StringComparison.Ordinal);
        using var request = new HttpRequestMessage(new HttpMethod(method.ToUpperInvariant()), filled);
        if (method is "post" or "put")
            request.Content = new StringContent("{}", Encoding.UTF8, "application/json");
        using var answer = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        if (answer.StatusCode == HttpStatusCode.MethodNotAllowed)
            return true;
        if (answer.StatusCode != HttpStatusCode.NotFound || method == "head")
            return false;
        return (await answer.Json()).GetProperty("detail").GetString() == "There is no such path.";
    }

    private static async Task<JsonElement> Document(HttpClient client)
    {
        using var answer = await client.GetAsync("/openapi.json");
        return await answer.Json();
    }

    private static IEnumerable<string> References(JsonElement at) => at.ValueKind switch
    {
        JsonValueKind.Object => at.EnumerateObject().SelectMany(member =>
            member.NameEquals("$ref") ? [member.Value.GetString()!] : References(member.Value)),
        JsonValueKind.Array => at.EnumerateArray().SelectMany(References),
        _ => [],
    };
}
