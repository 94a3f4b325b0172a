using System.Globalization;
using System.Text.Json;
using OrleansEvents.Api.Problems;
using OrleansEvents.Streams;

namespace OrleansEvents.Api.Endpoints;

/// <summary>Streams in JSON.</summary>
internal static class StreamJson
{
    public static void Write(Utf8JsonWriter json, StreamDescription stream)
    {
        json.WriteString("stream", stream.Name);
        json.WritePropertyName("settings");
        stream.Settings.WriteTo(json);
        json.WriteString("head", stream.History.At(stream.Head).ToString());
        json.WriteString("oldest", stream.History.At(stream.Floor).ToString());
        json.WriteNumber("events", stream.Events);
        json.WriteNumber("bytes", stream.Bytes);
        json.WriteNumber("storedEvents", stream.StoredEvents);
        json.WriteNumber("storedBytes", stream.StoredBytes);
        json.WriteNumber("readers", stream.Readers);
        json.WriteStartArray("subscribers");
        foreach (var subscriber in stream.Subscribers) json.WriteStringValue(subscriber);
        json.WriteEndArray();
        json.WriteBoolean("completed", stream.History.State == StreamState.Completed);
        json.WriteString("created", TimeText(stream.CreatedMs));
        if (stream.Node is { } node) json.WriteString("node", node);
    }

    public static void WritePage(Utf8JsonWriter json, StreamPage page)
    {
        json.WriteStartArray("streams");
        foreach (var stream in page.Streams)
        {
            json.WriteStartObject();
            json.WriteString("stream", stream.Name);
            json.WriteBoolean("completed", stream.Completed);
            json.WriteBoolean("open", stream.Head is not null);
            if (stream.CreatedMs is { } created) json.WriteString("created", TimeText(created));
            if (stream.Head is { } head)
            {
                json.WriteString("head", head);
                json.WriteNumber("events", stream.Events!.Value);
                json.WriteNumber("bytes", stream.Bytes!.Value);
                json.WriteNumber("readers", stream.Readers!.Value);
            }
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.WriteBoolean("more", page.More);
    }

    public static string TimeText(long unixMs) => DateTimeOffset.FromUnixTimeMilliseconds(unixMs)
        .ToString(Problem.TimeFormat, CultureInfo.InvariantCulture);
}
