using System.Net.ServerSentEvents;
using System.Text.Json;

namespace OrleansEvents.Client;

internal static class FrameParser
{
    // Built once: a frame that cannot be read must be told, and must not end the reading.
    private static readonly JsonElement Unreadable = JsonElement.Parse(
        """{"code":"SERVER_ERROR","message":"a frame could not be read","component":"client","severity":"error"}"""u8);

    public static StreamFrame Parse(string name, ReadOnlySpan<byte> data)
    {
        try
        {
            return name == SseParser.EventTypeDefault
                ? new EventFrame(StreamEvent.Parse(data.ToArray()))
                : ServerFrame(name, JsonElement.Parse(data));
        }
        catch (Exception unreadable) when (unreadable is JsonException or InvalidOperationException or FormatException)
        {
            return new ProblemFrame(Unreadable);
        }
    }

    private static ServerFrame ServerFrame(string name, JsonElement data) => name switch
    {
        "connected" => new ConnectedFrame(data),
        "heartbeat" => new HeartbeatFrame(data),
        "gap" => new GapFrame(data),
        "problem" => new ProblemFrame(data),
        "end" => new EndFrame(data),
        _ => new OtherFrame(name, data),
    };
}
