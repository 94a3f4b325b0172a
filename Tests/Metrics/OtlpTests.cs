using System.Collections.Concurrent;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using OrleansEvents.Tests.Docs;
using OrleansEvents.Tests.Http;
using Xunit;
using Given = OrleansEvents.Tests.Http.Given;

namespace OrleansEvents.Tests.Metrics;

public sealed class OtlpTests
{
    [Fact]
    public async Task A_collector_that_is_configured_gets_metrics_and_traces_over_http_with_protobuf()
    {
        await using var collector = await Collector.Start();
        await using (var server = await TestServer.Start("--Telemetry:OtlpEndpoint", collector.Address))
        {
            await server.Publish("orders", Given.Event(1));
            // A stop sends what is left.
            await server.Stop();
        }

        var traces = collector.Of("/v1/traces");
        Assert.Contains("publish", traces, StringComparison.Ordinal);
        Assert.Contains("append", traces, StringComparison.Ordinal);
        var metrics = collector.Of("/v1/metrics");
        Assert.Contains("orleansevents.published_events", metrics, StringComparison.Ordinal);
        Assert.Contains("orleansevents.publish_duration", metrics, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_a_collector_nothing_of_OpenTelemetry_is_loaded()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Looks into /proc.");
        using var server = await ServerProcess.Start();
        var loaded = await File.ReadAllTextAsync($"/proc/{server.Id}/maps");
        Assert.Contains("OrleansEvents.Streams.dll", loaded, StringComparison.Ordinal);
        Assert.DoesNotContain("OpenTelemetry", loaded, StringComparison.Ordinal);
    }

    /// <summary>Takes whatever it is sent.</summary>
    private sealed class Collector(WebApplication app, ConcurrentQueue<(string Path, string? Type, byte[] Body)> taken)
        : IAsyncDisposable
    {
        public string Address => app.Urls.First();

        public static async Task<Collector> Start()
        {
            var taken = new ConcurrentQueue<(string, string?, byte[])>();
            var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
            builder.WebHost.UseKestrelCore().UseUrls("http://127.0.0.1:0");
            var app = builder.Build();
            app.Run(async http =>
            {
                var body = new MemoryStream();
                await http.Request.Body.CopyToAsync(body);
                taken.Enqueue((http.Request.Path, http.Request.ContentType, body.ToArray()));
                http.Response.ContentType = "application/x-protobuf";
            });
            await app.StartAsync();
            return new Collector(app, taken);
        }

        /// <summary>All bodies of a path, as far as they are text.</summary>
        public string Of(string path)
        {
            var sent = taken.Where(each => each.Path == path).ToList();
            Assert.NotEmpty(sent);
            Assert.All(sent, each => Assert.Equal("application/x-protobuf", each.Type));
            return string.Concat(sent.Select(each => Encoding.Latin1.GetString(each.Body)));
        }

        public ValueTask DisposeAsync() => app.DisposeAsync();
    }
}
