using System.Buffers;
using System.Text.Json;
using OrleansEvents.Api.Http;
using OrleansEvents.Api.Sse;
using OrleansEvents.Streams;

namespace OrleansEvents.Api.Endpoints;

/// <summary>Subscribers, and their events, in JSON.</summary>
internal static class SubscriberJson
{
    public static void WriteAll(Utf8JsonWriter json, IReadOnlyList<SubscriberDescription> subscribers)
    {
        json.WriteStartArray("subscribers");
        foreach (var subscriber in subscribers)
        {
            json.WriteStartObject();
            Write(json, subscriber);
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }

    public static void Write(Utf8JsonWriter json, SubscriberDescription subscriber)
    {
        json.WriteString("subscriber", subscriber.Name);
        json.WriteNumber("pending", subscriber.Pending);
        json.WriteNumber("inFlight", subscriber.InFlight);
        json.WriteNumber("deadLetters", subscriber.DeadLetters);
        json.WriteNumber("connections", subscriber.Connections);
        json.WriteString("acknowledged", subscriber.Acknowledged.ToString());
        WriteStatistics(json, subscriber.Counts, subscriber.Retrying);
        json.WritePropertyName("policy");
        subscriber.Policy.WriteTo(json, withSecret: false);
        json.WriteBoolean("expires", !subscriber.IsExplicit);
        if (subscriber.Disabled is { } reason) json.WriteString("disabled", reason);
        json.WriteString("created", StreamJson.TimeText(subscriber.CreatedMs));
        json.WriteString("lastSeen", StreamJson.TimeText(subscriber.LastSeenMs));
    }

    public static void WriteStatistics(Utf8JsonWriter json, in SubscriberCounts counts, long retrying)
    {
        json.WriteStartObject("statistics");
        json.WriteNumber("queued", counts.Queued);
        json.WriteNumber("retried", counts.Retried);
        json.WriteNumber("succeeded", counts.Succeeded);
        json.WriteNumber("abandoned", counts.Abandoned);
        json.WriteNumber("queue_size", retrying);
        json.WriteEndObject();
    }

    public static void WriteAcknowledged(Utf8JsonWriter json, IReadOnlyList<Acknowledged> results) =>
        WriteResults(json, results.Select(each => (each.Id, each.Result switch
        {
            AckResult.Acknowledged => "acknowledged",
            AckResult.Already => "already",
            _ => "unknown",
        })));

    /// <summary>How many ids came to which result.</summary>
    public static void WriteAcknowledgedCounts(Utf8JsonWriter json, IReadOnlyList<Acknowledged> results)
    {
        var (acknowledged, already) = (0, 0);
        foreach (var each in results)
        {
            if (each.Result == AckResult.Acknowledged) acknowledged++;
            else if (each.Result == AckResult.Already) already++;
        }
        json.WriteNumber("acknowledged", acknowledged);
        json.WriteNumber("already", already);
        json.WriteNumber("unknown", results.Count - acknowledged - already);
    }

    public static void WriteNotAcknowledged(Utf8JsonWriter json, IReadOnlyList<NotAcknowledged> results) =>
        WriteResults(json, results.Select(each => (each.Id, each.Result switch
        {
            NackResult.Scheduled => "scheduled",
            NackResult.Parked => "parked",
            NackResult.Already => "already",
            _ => "unknown",
        })));

    /// <summary>A page of events, each with how often it was delivered, when it comes next, and what went
    /// wrong.</summary>
    public static ReadOnlyMemory<byte> PageOf(SubscriberPage page)
    {
        var output = new ArrayBufferWriter<byte>(1024);
        output.Write("{\"events\":["u8);
        for (var i = 0; i < page.Events.Count; i++)
        {
            if (i > 0) output.Write(","u8);
            WriteEvent(output, page.Events, i, page.Details[i]);
        }
        output.Write("],"u8);
        var rest = new ArrayBufferWriter<byte>(128);
        using (var json = new Utf8JsonWriter(rest, JsonAnswer.WriterOptions))
        {
            json.WriteStartObject();
            json.WriteString("cursor", page.Cursor.ToString());
            json.WriteBoolean("more", page.More);
            if (page.Expired is { } expired) WriteExpired(json, expired);
            json.WriteEndObject();
        }
        output.Write(rest.WrittenSpan[1..]);
        return output.WrittenMemory;
    }

    public static void WriteExpired(Utf8JsonWriter json, ExpiredRange expired)
    {
        json.WriteStartObject("expired");
        json.WriteNumber("firstSeq", expired.First);
        json.WriteNumber("lastSeq", expired.Last);
        json.WriteNumber("count", expired.Count);
        json.WriteEndObject();
    }

    private static void WriteEvent(ArrayBufferWriter<byte> output, EventRun events, int index, PendingEvent details)
    {
        var slot = events.Slots[index];
        EventShape.WriteJson(output, events.FrameOf(slot), slot, json =>
        {
            json.WriteNumber("attempt", details.Attempts);
            if (details.NextRetryMs is { } next) json.WriteString("nextRetry", StreamJson.TimeText(next));
            else json.WriteNull("nextRetry");
            json.WriteStartArray("history");
            foreach (var (ms, reason) in details.History)
            {
                json.WriteStartObject();
                json.WriteString("time", StreamJson.TimeText(ms));
                json.WriteString("reason", reason);
                json.WriteEndObject();
            }
            json.WriteEndArray();
        });
    }

    private static void WriteResults(Utf8JsonWriter json, IEnumerable<(string Id, string Result)> results)
    {
        json.WriteStartArray("results");
        foreach (var (id, result) in results)
        {
            json.WriteStartObject();
            json.WriteString("id", id);
            json.WriteString("result", result);
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }
}
