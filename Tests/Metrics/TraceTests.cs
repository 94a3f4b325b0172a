using System.Text;
using System.Text.RegularExpressions;
using Microsoft.Extensions.DependencyInjection;
using OrleansEvents.Api.Metrics;
using OrleansEvents.Storage.Memory;
using OrleansEvents.Streams;
using OrleansEvents.Tests.Docs;
using OrleansEvents.Tests.Http;
using OrleansEvents.Tests.Reading;
using Xunit;
using Given = OrleansEvents.Tests.Http.Given;

namespace OrleansEvents.Tests.Metrics;

/// <summary>The spans of an event's way. A test looks at its own trace: others listen to the same source.</summary>
public sealed partial class TraceTests
{
    private const string Publisher = Trace.Publisher;

    [Fact]
    public async Task One_publish_makes_the_documented_spans_in_their_order()
    {
        using var trace = new Trace();
        await using var server = await TestServer.Start();
        await server.Publish("orders", Given.Critical(1), ("traceparent", trace.Parent));
        await using var reader = await SseReader.Stream(server, "orders", "after=0");
        await reader.Next(name: null);

        var rows = Rows().Matches(Documents.Read("docs/one-event.md").Split("## In a trace")[1]);
        var documented = rows.Select(row => row.Groups[1].Value).ToList();
        await Eventually.True(() => Task.FromResult(trace.Stopped.Count >= documented.Count));
        Assert.Equal(documented, trace.Started.Select(span => span.OperationName));
    }

    [Fact]
    public async Task The_publish_belongs_to_the_publishers_trace_and_the_rest_to_the_publish()
    {
        using var trace = new Trace();
        await using var server = await TestServer.Start();
        await server.Publish("orders", Given.Critical(1), ("traceparent", trace.Parent));
        await Eventually.True(() => Task.FromResult(trace.Stopped.Count >= 3));

        var spans = trace.Started.ToDictionary(span => span.OperationName);
        Assert.Equal(Publisher, spans["publish"].ParentSpanId.ToHexString());
        Assert.Equal(spans["publish"].SpanId, spans["append"].ParentSpanId);
        Assert.Equal(spans["append"].SpanId, spans["commit"].ParentSpanId);
        Assert.All(spans.Values, span => Assert.Equal("orders", span.GetTagItem("stream")));
    }

    [Fact]
    public async Task An_ordinary_event_has_no_commit()
    {
        using var trace = new Trace();
        await using var server = await TestServer.Start();
        await server.Publish("orders", Given.Event(0));
        await server.Publish("orders", Given.Event(1), ("traceparent", trace.Parent));
        await Eventually.True(() => Task.FromResult(trace.Stopped.Count >= 2));
        Assert.Equal(["publish", "append"], trace.Started.Select(span => span.OperationName));
    }

    [Fact]
    public async Task The_commit_that_follows_belongs_to_its_own_publisher()
    {
        using var trace = new Trace();
        var log = StallingLog.Over(new MemoryEventLog());
        await using var server = await TestServer.StartWith(services => services.AddSingleton(log.Log));
        await server.Publish("orders", Given.Event(0));
        log.Stall(nameof(IEventLog.Append));
        var first = server.Publish("orders", Given.Critical(1), ("traceparent", trace.Parent));
        await Eventually.True(() => Task.FromResult(trace.Started.Count == 3));
        var second = server.Publish("orders", Given.Critical(2));
        await Scrape.Until(server, "streams_open", 1);
        log.GoOn();
        await first;
        await second;
        await Scrape.Until(server, "commit_duration_seconds_count{result=\"ok\"}", 2);
        Assert.Equal(["publish", "append", "commit"], trace.Started.Select(span => span.OperationName));
    }

    [Theory]
    [InlineData("")]
    [InlineData("types=t")]
    [InlineData("subscriber=billing")]
    public async Task An_event_that_names_a_trace_gets_a_span_for_each_reader(string query)
    {
        using var trace = new Trace();
        var log = new MemoryEventLog();
        await Store(log, FrameOf(1, ""), FrameOf(2, $",\"traceparent\":\"{trace.Parent}\""));
        await using var server = await TestServer.StartWith(services => services.AddSingleton<IEventLog>(log));
        await using var reader = await SseReader.Stream(server, "orders", $"after=0&{query}");
        await reader.Events(2);
        await server.Poll("orders");

        await Eventually.True(() => Task.FromResult(trace.Stopped.Count >= 2));
        Assert.All(trace.Stopped, span =>
        {
            Assert.Equal("deliver", span.OperationName);
            Assert.Equal(Publisher, span.ParentSpanId.ToHexString());
            Assert.Equal(2L, span.GetTagItem("seq"));
        });
        Assert.Single(trace.Stopped, span => (string?)span.GetTagItem("reader") == "poll");
        Assert.Equal(2, trace.Stopped.Count);
    }

    [Theory]
    [InlineData(""",\"traceparent\":\"PARENT""")]
    [InlineData(""","traceparent":"00-short""")]
    [InlineData(""","traceparent":"PARENT"}""")]
    [InlineData(""","trace":"PARENT""")]
    public void What_only_looks_like_the_member_names_no_trace(string end)
    {
        const string Parent = $"00-0af7651916cd43dd8448eb211c80319c-{Publisher}-01";
        var text = end.Replace("PARENT", Parent, StringComparison.Ordinal);
        Assert.Null(EventTrace.ContextOf(Encoding.UTF8.GetBytes($"data: {{\"data\":\"x{text}\"}}\n\n")));
        Assert.NotNull(EventTrace.ContextOf(Encoding.UTF8.GetBytes(
            $"data: {{\"data\":\"x\",\"traceparent\":\"{Parent}\"}}\n\n")));
    }

    private static (EventSlot Slot, byte[] Frame) FrameOf(long seq, string last)
    {
        var id = new Cursor(7, seq);
        var head = $"id: {id}\ndata: {{\"id\":\"{id}\",\"seq\":{seq},\"stream\":\"orders\",\"type\":\"";
        const string Middle = """t","version":1,"time":"2026-01-01T00:00:00.000Z","critical":true,"data":""";
        var frame = Encoding.UTF8.GetBytes($"{head}{Middle}1{last}}}\n\n");
        return (new EventSlot(seq, DateTimeOffset.UnixEpoch.AddYears(60).ToUnixTimeMilliseconds(), 0, frame.Length,
            (head.Length, 1), (head.Length + Middle.Length, 1), critical: true), frame);
    }

    private static async Task Store(MemoryEventLog log, params (EventSlot Slot, byte[] Frame)[] events)
    {
        var opened = await log.Open("orders", 7, create: true, 0);
        using var run = new EventRun();
        foreach (var (slot, frame) in events) run.Append(slot, frame);
        await log.Append(opened!.Handle, [run], []);
    }

    [GeneratedRegex(@"^\| `(\w+)` \| `[\w.]+\.cs` ", RegexOptions.Multiline)]
    private static partial Regex Rows();
}
