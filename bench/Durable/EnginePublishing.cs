using System.Text;
using Microsoft.Extensions.DependencyInjection;
using OrleansEvents.Api;
using OrleansEvents.Streams;

namespace OrleansEvents.Durable;

/// <summary>The embedded engine as the server itself starts it, called where its endpoints call it. The callers go
/// through the streams in turn.</summary>
internal sealed class EnginePublishing : IAsyncDisposable
{
    private readonly RunningApi running;
    private readonly IEventStreams streams;
    private readonly string[] names;
    private readonly NewEvent[] events;
    private int turn;

    private EnginePublishing(RunningApi running, int streams, int events, int dataBytes)
    {
        this.running = running;
        this.streams = running.App.Services.GetRequiredService<IEventStreams>();
        names = [.. Enumerable.Range(0, streams).Select(i => $"bench.{i}")];
        var data = Encoding.ASCII.GetBytes($"\"{new string('x', dataBytes - 2)}\"");
        this.events = [.. Enumerable.Repeat(new NewEvent("bench"u8.ToArray(), 1, data, Critical: true), events)];
    }

    public static async Task<EnginePublishing> Start(string[] store, int streams, int events, int dataBytes)
    {
        var running = await ApiHost.StartAsync(["--urls", "http://127.0.0.1:0", .. store]);
        var engine = new EnginePublishing(running, streams, events, dataBytes);
        for (var i = 0; i < streams; i++) await engine.Publish();    // opens each
        return engine;
    }

    public async ValueTask Publish()
    {
        var name = names[(uint)Interlocked.Increment(ref turn) % (uint)names.Length];
        var outcome = await streams.Publish(name, events, null, CancellationToken.None);
        if (outcome.Refusal is { } refusal)
            throw new InvalidOperationException($"refused: {refusal}");
        if (!outcome.Value.Durable)
            throw new InvalidOperationException("answered without being durable");
    }

    public ValueTask DisposeAsync() => running.DisposeAsync();
}
