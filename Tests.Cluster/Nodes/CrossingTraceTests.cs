using System.Diagnostics;
using System.Text.Json;
using OrleansEvents.Tests.Http;
using OrleansEvents.Tests.Reading;
using Xunit;
using Trace = OrleansEvents.Tests.Metrics.Trace;

namespace OrleansEvents.Tests.Cluster.Nodes;

/// <summary>The spans of an event whose stream another node owns.</summary>
public sealed class CrossingTraceTests
{
    [Fact]
    public async Task A_trace_crosses_to_the_owner_and_back_to_the_reader()
    {
        await using var engine = ServerEngine.Forgetting();
        await using var nodes = await engine.Start(["--urls", "http://127.0.0.1:0"], [], null);
        using var http = new HttpClient { BaseAddress = nodes.Api.Address };
        var owner = (await Json(http, new Uri(nodes.Other.Address, "/api/admin/nodes").ToString()))
            .GetProperty("node").GetString()!;
        var stream = await StreamOwnedBy(http, owner);
        using var trace = new Trace();
        await using var reader = await SseReader.Open(nodes.Api.Address, $"/api/streams/{stream}/events?after=$");
        await reader.Next("connected");

        await Publish(http, stream, trace.Parent);
        await reader.Next(name: null);
        await Eventually.True(() => Task.FromResult(trace.Stopped.Count == 4));

        var spans = trace.Started.ToDictionary(span => span.OperationName);
        Assert.Equal(["append", "commit", "deliver", "publish"], spans.Keys.Order());
        Assert.Equal(Trace.Publisher, spans["publish"].ParentSpanId.ToHexString());
        Assert.Equal(spans["publish"].SpanId, spans["append"].ParentSpanId);
        Assert.Equal(spans["append"].SpanId, spans["commit"].ParentSpanId);
        Assert.Equal(Trace.Publisher, Assert.Single(spans["commit"].Links).Context.SpanId.ToHexString());
        Assert.Equal(Trace.Publisher, spans["deliver"].ParentSpanId.ToHexString());
        Assert.All(["append", "commit"], name => Assert.Equal(owner, spans[name].GetTagItem("node")));
        Assert.All(spans.Values, span => Assert.Equal(stream, span.GetTagItem("stream")));
    }

    [Fact]
    public async Task Publishes_that_met_in_one_call_stay_in_their_own_traces()
    {
        await using var engine = ServerEngine.Forgetting();
        await using var nodes = await engine.Start(["--urls", "http://127.0.0.1:0"], [], null);
        using var http = new HttpClient { BaseAddress = nodes.Api.Address };
        var traces = Enumerable.Range(0, 40).Select(_ => new Trace()).ToList();
        await Task.WhenAll(traces.Select(trace => Publish(http, "crowded", trace.Parent)));
        foreach (var trace in traces)
        {
            await Eventually.True(() => Task.FromResult(trace.Stopped.Count(IsFirst) == 2));
            var spans = trace.Started.Where(IsFirst).ToDictionary(span => span.OperationName);
            Assert.Equal(spans["publish"].SpanId, spans["append"].ParentSpanId);
            trace.Dispose();
        }

        static bool IsFirst(Activity span) => span.OperationName is "publish" or "append";
    }

    private static async Task<string> StreamOwnedBy(HttpClient http, string owner)
    {
        for (var n = 0; ; n++)
        {
            var name = $"traced-{n}";
            await Publish(http, name, null);
            var described = await Json(http, $"/api/streams/{name}");
            if (described.GetProperty("node").GetString() == owner) return name;
        }
    }

    private static async Task Publish(HttpClient http, string stream, string? parent)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, $"/api/streams/{stream}/events")
        {
            Content = new StringContent("""{"type":"tick","critical":true,"data":1}""", null, "application/json"),
        };
        if (parent is not null) request.Headers.Add("traceparent", parent);
        using var answer = await http.SendAsync(request, TestContext.Current.CancellationToken);
        answer.EnsureSuccessStatusCode();
    }

    private static async Task<JsonElement> Json(HttpClient http, string path) =>
        JsonSerializer.Deserialize<JsonElement>(await http.GetByteArrayAsync(
            new Uri(path, UriKind.RelativeOrAbsolute), TestContext.Current.CancellationToken));
}
