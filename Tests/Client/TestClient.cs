using System.Text;
using System.Text.Json;
using OrleansEvents.Client;

namespace OrleansEvents.Tests.Client;

internal static class TestClient
{
    /// <summary>Without chance: no jitter, and no time limit that a busy machine could pass.</summary>
    public static EventsClientOptions Patience { get; } = new()
    {
        Chance = () => 0,
        RequestTimeout = FastTime.Never,
        LongestSilence = FastTime.Never * 4,
    };

    public static EventsClient Of(ScriptedServer server, FastTime time, EventsClientOptions? options = null) =>
        new(server.Address, options: options ?? Patience, time: time);

    public static async Task<List<StreamFrame>> AllAsync(EventReader reader, Action<StreamFrame>? seen = null)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        var frames = new List<StreamFrame>();
        await foreach (var frame in reader.WithCancellation(limit.Token))
        {
            frames.Add(frame);
            seen?.Invoke(frame);
        }
        return frames;
    }

    public static IEnumerable<long> Seqs(IEnumerable<StreamFrame> frames) =>
        frames.OfType<EventFrame>().Select(frame => frame.Event.Seq);

    public static StreamEvent Event(string json) => StreamEvent.Parse(Encoding.UTF8.GetBytes(json));

    /// <summary>The ids in the body of an acknowledgement.</summary>
    public static IEnumerable<string> Ids(string body) =>
        JsonElement.Parse(body).GetProperty("ids").EnumerateArray().Select(id => id.GetString()!);
}
