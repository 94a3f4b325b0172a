using System.Buffers;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using OrleansEvents.Api.Http;
using OrleansEvents.Api.Metrics;
using OrleansEvents.Api.Options;
using OrleansEvents.Api.Problems;
using OrleansEvents.Streams;

namespace OrleansEvents.Api.Sse;

/// <summary>
/// Says on <c>$system</c> what an operator watches for. Of each trouble of connections only so many are told one by one
/// in a while, the rest by their number: thousands that break at once must not push everything else out of its buffer.
/// </summary>
internal sealed class SystemEvents : IDisposable
{
    public const string Stream = "$system";
    private readonly IEventStreams _streams;
    private readonly ServerMeter _meter;
    private readonly Operations _operations;
    private readonly SseOptions _options;
    private readonly ITimer _timer;
    private readonly Lock _lock = new();
    private readonly Dictionary<ErrorCode, (int Told, int Held)> _troubles = [];

    public SystemEvents(IEventStreams streams, SseOptions options, ServerMeter meter, Operations operations,
        TimeProvider time)
    {
        (_streams, _options, _meter, _operations) = (streams, options, meter, operations);
        _timer = time.CreateTimer(_ => EndWindow(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>A connection's trouble; sent off, not waited for: it must never hold up what went wrong.</summary>
    public void ConnectionError(ErrorCode code, string message, SseConnection connection)
    {
        if (!MayTell(code)) return;
        _meter.Told(code, "system");
        Publish("connection_error", (code, message, connection), static (json, told) =>
        {
            json.WriteString("code", told.code.WireName());
            json.WriteString("message", told.message);
            json.WriteString("connection", told.connection.Id);
            json.WriteString("stream", told.connection.Streams);
            if (told.connection.Subscriber is { } subscriber) json.WriteString("subscriber", subscriber);
            if (told.connection.Client is { } client) json.WriteString("client", client);
        });
    }

    /// <summary>The server's own state.</summary>
    // Not critical by rule: it must be said just when storage is down.
    public void Status(string status, string message) => Publish("server_status", (status, message),
        static (json, told) =>
        {
            json.WriteString("status", told.status);
            json.WriteString("message", told.message);
        });

    /// <summary>A webhook gets nothing any more. Critical, so that whoever is to know gets it whenever he comes; if
    /// that cannot be stored, whoever watches now is told.</summary>
    public async Task WebhookDisabled(string stream, string subscriber, string url, DateTimeOffset since,
        string reason)
    {
        var data = DataOf((stream, subscriber, url, since, reason), static (json, told) =>
        {
            json.WriteString("code", ErrorCode.WebhookDisabled.WireName());
            json.WriteString("message", $"The webhook of {told.subscriber} gets nothing any more: {told.reason}.");
            json.WriteString("stream", told.stream);
            json.WriteString("subscriber", told.subscriber);
            json.WriteString("url", told.url);
            json.WriteString("since", told.since.ToString(Problem.TimeFormat, CultureInfo.InvariantCulture));
            json.WriteString("reason", told.reason);
        });
        if ((await Publish("connection_error", data, critical: true)).Refusal is not null)
            await Publish("connection_error", data);
    }

    public void Dispose() => _timer.Dispose();

    private bool MayTell(ErrorCode code)
    {
        lock (_lock)
        {
            if (_troubles.Count == 0) _timer.Change(_options.TroubleWindow, Timeout.InfiniteTimeSpan);
            ref var trouble = ref CollectionsMarshal.GetValueRefOrAddDefault(_troubles, code, out _);
            if (trouble.Told < _options.Troubles)
            {
                trouble.Told++;
                return true;
            }
            trouble.Held++;
            return false;
        }
    }

    private void EndWindow()
    {
        KeyValuePair<ErrorCode, (int Told, int Held)>[] troubles;
        lock (_lock)
        {
            troubles = [.. _troubles];
            _troubles.Clear();
        }
        foreach (var (code, (_, held)) in troubles)
        {
            if (held == 0) continue;
            _meter.Told(code, "system", held);
            Publish("connection_error", (code, held), static (json, told) =>
            {
                json.WriteString("code", told.code.WireName());
                json.WriteString("message", string.Create(CultureInfo.InvariantCulture,
                    $"{told.held} more connections in the same while."));
                json.WriteNumber("count", told.held);
            });
        }
    }

    private void Publish<T>(string type, T content, Action<Utf8JsonWriter, T> write) =>
        _ = Publish(type, DataOf(content, write));

    /// <summary>Whatever comes of it: when the engine is gone there is nobody to tell.</summary>
    private async Task<Outcome<Published>> Publish(string type, ReadOnlyMemory<byte> data, bool critical = false)
    {
        NewEvent[] events = [new(System.Text.Encoding.ASCII.GetBytes(type), 1, data, critical)];
        return await _operations.Limit(_streams.Publish(Stream, events, null, CancellationToken.None), "publish",
            Stream);
    }

    private static ReadOnlyMemory<byte> DataOf<T>(T content, Action<Utf8JsonWriter, T> write)
    {
        var data = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(data, JsonAnswer.WriterOptions))
        {
            json.WriteStartObject();
            write(json, content);
            json.WriteEndObject();
        }
        return data.WrittenMemory;
    }
}
