using System.Text;
using Microsoft.Extensions.DependencyInjection;
using OrleansEvents.Api;
using OrleansEvents.Streams;

namespace OrleansEvents.Subscribers;

/// <summary>The embedded engine as the server itself starts it, with subscribers spread over streams.</summary>
internal sealed class Population : IAsyncDisposable
{
    private const int DataBytes = 200;
    private const int AtOnce = 64;

    private readonly RunningApi running;
    private readonly NewEvent[] events;

    private Population(RunningApi running, int batch)
    {
        this.running = running;
        Engine = running.App.Services.GetRequiredService<IEventStreams>();
        var data = Encoding.ASCII.GetBytes($"\"{new string('x', DataBytes - 2)}\"");
        events = [.. Enumerable.Range(0, batch).Select(_ =>
            new NewEvent("bench"u8.ToArray(), 1, data, Critical: true))];
    }

    public IEventStreams Engine { get; }

    public static string Stream(int index) => $"bench.{index}";

    public static string Name(int index) => $"subscriber-{index}";

    public static async Task<Population> Start(string folder, int batch) => new(await ApiHost.StartAsync(
        ["--urls", "http://127.0.0.1:0", "--data", folder, "--Logging:LogLevel:Default", "Warning"]), batch);

    public Task Register(int streams, int subscribersEach, string policy)
    {
        var json = Encoding.UTF8.GetBytes(policy);
        return Each(streams * subscribersEach, async index => Require((await Engine.ConfigureSubscriber(
            Stream(index / subscribersEach), Name(index), json, default)).Refusal));
    }

    /// <summary>What is made once by the first use.</summary>
    public async Task Warm()
    {
        var warm = Encoding.UTF8.GetBytes("""{"owed":"all"}""");
        await Engine.ConfigureSubscriber("warm", Name(0), warm, default);
        Require((await Engine.Publish("warm", events, null, default)).Refusal);
        await Engine.Delete("warm", default);
    }

    public async ValueTask Publish(int stream) =>
        Require((await Engine.Publish(Stream(stream), events, null, default)).Refusal);

    public static Task Each(int count, Func<int, Task> act) => Parallel.ForEachAsync(Enumerable.Range(0, count),
        new ParallelOptions { MaxDegreeOfParallelism = AtOnce }, async (index, _) => await act(index));

    public static void Require(Refusal? refusal)
    {
        if (refusal is { } why) throw new InvalidOperationException($"refused: {why}");
    }

    public ValueTask DisposeAsync() => running.DisposeAsync();
}
