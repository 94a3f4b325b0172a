using OrleansEvents.Api;
using OrleansEvents.Client;
using OrleansEvents.Tests.Cli;
using Xunit;

namespace OrleansEvents.Tests.Client;

/// <summary>The client and the command line against the server itself.</summary>
public sealed class WithServerTests : IDisposable
{
    private readonly DirectoryInfo _data = Directory.CreateTempSubdirectory();

    public void Dispose() => _data.Delete(recursive: true);

    [Fact]
    public async Task What_is_published_is_read_and_the_end_ends_the_reading()
    {
        await using var server = await StartAsync();
        using var client = new EventsClient(server.Address);

        var first = await client.PublishAsync("orders", new NewEvent("created", """{"a":"ü"}"""u8.ToArray()));
        var more = await client.PublishAsync("orders", [NewEvent.Of("b", 1), NewEvent.Of("b", 2)]);
        await client.CompleteAsync("orders");
        await client.CompleteAsync("orders");
        var frames = await TestClient.AllAsync(client.ReadAsync("orders"));
        var rest = await TestClient.AllAsync(client.ReadAsync("orders", new ReadOptions { After = first.Cursor }));
        var none = await TestClient.AllAsync(client.ReadAsync("orders", new ReadOptions { Types = ["c"] }));

        Assert.Equal((first.Last + 1, 2), (more.First, more.Count));
        Assert.IsType<ConnectedFrame>(frames[0]);
        Assert.Equal([first.First, more.First, more.Last], TestClient.Seqs(frames));
        Assert.Equal("completed", Assert.IsType<EndFrame>(frames[^1]).Reason);
        Assert.Equal([more.First, more.Last], TestClient.Seqs(rest));
        Assert.Empty(TestClient.Seqs(none));
        var refusal = await Assert.ThrowsAsync<EventsException>(
            () => client.PublishAsync("orders", NewEvent.Of("b", 3)));
        Assert.Equal("STREAM_COMPLETED", refusal.Code);
    }

    [Fact]
    public async Task A_CloudEvent_is_read_with_its_attributes_and_its_trace()
    {
        const string Trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        await using var server = await StartAsync();
        using var http = new HttpClient();
        using var content = new StringContent($$"""
            {"specversion":"1.0","type":"paid","id":"7","source":"/shop","subject":"o","traceparent":"{{Trace}}"}
            """, System.Text.Encoding.UTF8, "application/cloudevents+json");
        using var answer = await http.PostAsync(new Uri(server.Address, "/api/streams/shop/events"), content);
        using var client = new EventsClient(server.Address);
        await client.PublishAsync("shop", NewEvent.Of("plain", 1));
        await client.CompleteAsync("shop");

        var events = (await TestClient.AllAsync(client.ReadAsync("shop"))).OfType<EventFrame>().ToList();
        var paid = events[0].Event;
        Assert.Equal(("paid", "/shop 7", Trace), (paid.Type, paid.Key, paid.TraceParent));
        Assert.Equal("o", paid.CloudEvent!.Value.GetProperty("subject").GetString());
        Assert.Null(events[1].Event.CloudEvent);
        Assert.Null(events[1].Event.TraceParent);
    }

    [Fact]
    public async Task A_subscriber_gets_what_it_has_not_acknowledged()
    {
        await using var server = await StartAsync();
        using var client = new EventsClient(server.Address);
        var asBilling = new ReadOptions { Subscriber = "billing" };
        await client.PublishAsync(
            "orders", [.. Enumerable.Range(1, 200).Select(number => NewEvent.Of("n",
                number) with { Critical = true })]);

        var ids = await FirstAsync(client.ReadAsync("orders", asBilling), 200);
        var results = await client.Subscriber("orders", "billing").AcknowledgeAsync(ids[..150]);
        var again = await FirstAsync(client.ReadAsync("orders", asBilling), 50);
        await client.Subscriber("orders", "billing").AcknowledgeUpToAsync(again[^1]);

        Assert.All(results, result => Assert.Equal("acknowledged", result.Result));
        Assert.Equal(ids[150..], again);
    }

    [Fact]
    public async Task A_reader_goes_on_over_a_graceful_restart_without_a_gap()
    {
        var server = await StartAsync();
        var port = server.Address.Port;
        using var client = new EventsClient(server.Address);
        await client.PublishAsync("a.x", NewEvent.Of("n", 1));
        var frames = new List<StreamFrame>();
        using var stop = new CancellationTokenSource(TimeSpan.FromSeconds(60));

        await foreach (var frame in client.ReadAsync("a.*").WithCancellation(stop.Token))
        {
            frames.Add(frame);
            if (frame is not EventFrame { Event: var arrived })
                continue;
            if (arrived.Data.GetInt32() == 2)
                break;
            await server.DisposeAsync();
            server = await StartAsync(port);
            await client.PublishAsync("a.x", NewEvent.Of("n", 2), stop.Token);
        }
        await server.DisposeAsync();

        Assert.Equal(2, frames.OfType<EventFrame>().Count());
        Assert.Empty(frames.OfType<GapFrame>());
    }

    [Fact]
    public async Task A_commands_output_can_be_followed_and_recorded_anew()
    {
        await using var server = await StartAsync();
        var url = server.Address.ToString();
        using var run = new CommandLine();
        using var again = new CommandLine();
        using var tail = new CommandLine();

        Assert.Equal(0, await run.RunAsync("run", "build", "--url", url, "--", "echo", "first"));
        Assert.Equal(0, await again.RunAsync("run", "build", "--replace", "--url", url, "--", "seq", "1", "50"));
        Assert.Equal(0, await tail.RunAsync("tail", "build", "--url", url));

        var lines = tail.Out.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(
            Enumerable.Range(1, 50).Select(number => $"stdout {number}"),
            lines[1..^1].Select(line => line[line.IndexOf("stdout", StringComparison.Ordinal)..]));
        Assert.Equal("", run.Error + again.Error);
    }

    private static async Task<string[]> FirstAsync(EventReader reader, int count)
    {
        using var stop = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        var ids = new List<string>();
        await foreach (var frame in reader.WithCancellation(stop.Token))
        {
            if (frame is EventFrame { Event: var arrived })
                ids.Add(arrived.Id);
            if (ids.Count == count)
                break;
        }
        return [.. ids];
    }

    private Task<RunningApi> StartAsync(int port = 0) =>
        ApiHost.StartAsync(
        [
            "--urls", $"http://127.0.0.1:{port}", "--data", _data.FullName,
            "--Logging:LogLevel:OrleansEvents", "Warning",
        ]);
}
