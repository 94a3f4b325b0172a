using Microsoft.Extensions.DependencyInjection;
using OrleansEvents.Api;
using OrleansEvents.Streams;

namespace OrleansEvents.Durable;

/// <summary>The embedded engine as the server itself starts it.</summary>
internal sealed class EnginePublishing(RunningApi running, Publishing publishing) : IAsyncDisposable
{
    public static async Task<EnginePublishing> Start(string[] store, int streams, int events, int dataBytes)
    {
        var running = await ApiHost.StartAsync(["--urls", "http://127.0.0.1:0", .. store]);
        var publishing = new Publishing(running.App.Services.GetRequiredService<IEventStreams>(),
            [.. Enumerable.Range(0, streams).Select(i => $"bench.{i}")], events, dataBytes, critical: true);
        await publishing.Open();
        return new EnginePublishing(running, publishing);
    }

    public ValueTask Publish() => publishing.Publish();

    public ValueTask DisposeAsync() => running.DisposeAsync();
}
