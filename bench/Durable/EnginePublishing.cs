using System.Text;
using Microsoft.Extensions.DependencyInjection;
using OrleansEvents.Api;
using OrleansEvents.Streams;

namespace OrleansEvents.Durable;

/// <summary>The embedded engine as the server itself starts it, called where its endpoints call it.</summary>
internal sealed class EnginePublishing : IAsyncDisposable
{
    private readonly RunningApi running;
    private readonly IEventStreams streams;
    private readonly NewEvent[] events;

    private EnginePublishing(RunningApi running, int dataBytes)
    {
        this.running = running;
        streams = running.App.Services.GetRequiredService<IEventStreams>();
        var data = Encoding.ASCII.GetBytes($"\"{new string('x', dataBytes - 2)}\"");
        events = [new NewEvent("bench"u8.ToArray(), 1, data, Critical: true)];
    }

    public static async Task<EnginePublishing> Start(string folder, int dataBytes) =>
        new(await ApiHost.StartAsync(["--urls", "http://127.0.0.1:0", "--data", folder]), dataBytes);

    public async ValueTask Publish()
    {
        var outcome = await streams.Publish("bench", events, null, CancellationToken.None);
        if (outcome.Refusal is { } refusal)
            throw new InvalidOperationException($"refused: {refusal}");
        if (!outcome.Value.Durable)
            throw new InvalidOperationException("answered without being durable");
    }

    public ValueTask DisposeAsync() => running.DisposeAsync();
}
