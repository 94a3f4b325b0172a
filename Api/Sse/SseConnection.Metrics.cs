using System.Globalization;
using System.Net;
using System.Text.Json;
using OrleansEvents.Api.Problems;
using OrleansEvents.Streams;

namespace OrleansEvents.Api.Sse;

/// <summary>What can be asked of a connection, by any thread while it runs.</summary>
internal sealed partial class SseConnection
{
    private readonly Origin _origin;
    private int _reconnects;
    private int _failures;
    private long _gaps;

    /// <summary>The streams and patterns that it reads.</summary>
    public string Streams => _request.Names_;

    public string? Subscriber => _request.Subscriber;

    public string? Client => _request.Client;

    /// <summary>Events sent.</summary>
    public long Events => Volatile.Read(ref _events);

    /// <summary>Bytes sent.</summary>
    public long Bytes => _output.Taken;

    /// <summary>Since when a write has waited for the socket, monotonic; null: nothing waits.</summary>
    public long? BlockedSinceMs => Volatile.Read(ref _blockedSinceMs) is not 0 and var since ? since : null;

    public void WriteTo(Utf8JsonWriter json)
    {
        var now = _table.Now;
        json.WriteString("connection", Id);
        json.WriteString("path", _origin.Path);
        json.WriteString("subscriber", Subscriber);
        json.WriteString("client", Client);
        json.WriteString("address", _origin.Address?.ToString());
        json.WriteString("protocol", _origin.Protocol);
        json.WriteString("since", TimeText(_origin.SinceUnixMs));
        json.WriteNumber("uptime", (now.UnixMs - _origin.SinceUnixMs) / 1000.0);
        json.WriteNumber("events", Events);
        json.WriteNumber("bytes", Bytes);
        json.WriteNumber("gaps", Volatile.Read(ref _gaps));
        json.WriteNumber("failures", Volatile.Read(ref _failures));
        json.WriteNumber("reconnects", _reconnects);
        json.WriteNumber("heartbeat", HeartbeatEvery.TotalSeconds);
        WriteSeconds(json, "blocked", BlockedSinceMs is { } since ? now.Ms - since : null);
        WritePings(json);
        WriteLines(json);
    }

    private void WritePings(Utf8JsonWriter json)
    {
        json.WriteBoolean("pong", _request.AnswersPings);
        lock (_pinging)
        {
            json.WriteString("lastPing", TimeText(_pingedUnixMs));
            json.WriteString("lastPong", TimeText(_pongedUnixMs));
        }
    }

    private void WriteLines(Utf8JsonWriter json)
    {
        StreamLine[] lines;
        lock (_lines) lines = [.. _lines];
        var lags = Array.ConvertAll(lines, line => line.Lag);
        WriteNumber(json, "lag", lags.Sum());
        json.WriteStartArray("streams");
        for (var i = 0; i < lines.Length; i++)
        {
            json.WriteStartObject();
            json.WriteString("stream", lines[i].Feed.Stream);
            json.WriteString("position", lines[i].Known?.ToString());
            json.WriteString("head", IsThere(lines[i])
                ? lines[i].Feed.History.At(lines[i].Feed.Head).ToString()
                : null);
            WriteNumber(json, "lag", lags[i]);
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }

    private static void WriteSeconds(Utf8JsonWriter json, string name, long? ms)
    {
        if (ms is { } known) json.WriteNumber(name, known / 1000.0);
        else json.WriteNull(name);
    }

    private static void WriteNumber(Utf8JsonWriter json, string name, long? number)
    {
        if (number is { } known) json.WriteNumber(name, known);
        else json.WriteNull(name);
    }

    private static string? TimeText(long unixMs) => unixMs == 0 ? null
        : DateTimeOffset.FromUnixTimeMilliseconds(unixMs).ToString(Problem.TimeFormat, CultureInfo.InvariantCulture);

    /// <summary>Where a connection came from: read at its beginning, since the request may serve another
    /// later.</summary>
    private sealed record Origin(string Path, string Protocol, IPAddress? Address, long SinceUnixMs)
    {
        public static Origin Of(HttpContext http, long nowUnixMs) => new(http.Request.Path.ToUriComponent(),
            http.Request.Protocol, http.Connection.RemoteIpAddress, nowUnixMs);
    }
}
