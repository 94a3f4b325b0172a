using System.Text.Json;
using OrleansEvents.Streams;

namespace OrleansEvents.Tests.Crash;

/// <summary>An event as somebody learned of it.</summary>
internal sealed record Sighting(Cursor Id, string Key, bool Critical)
{
    public long Seq => Id.Seq;

    /// <summary>From the event's JSON; checks that its members agree with each other.</summary>
    public static Sighting Of(JsonElement @event)
    {
        var id = CursorOf(@event.GetProperty("id").GetString()!);
        var key = @event.GetProperty("key").GetString()!;
        var data = @event.GetProperty("data");
        var content = $"{data.GetProperty("publisher").GetString()}-{data.GetProperty("n").GetInt32()}";
        if (@event.GetProperty("seq").GetInt64() != id.Seq || content != key)
            throw new InvalidOperationException($"Not one event: {@event}");
        return new Sighting(id, key, @event.GetProperty("critical").GetBoolean());
    }

    public static Cursor CursorOf(string text) =>
        Cursor.TryParse(text, out var cursor) ? cursor : throw new FormatException($"Not a cursor: {text}");
}
