using System.Globalization;
using System.Security.Cryptography;

namespace OrleansEvents.Client;

/// <summary>
/// Publishes to and reads from an OrleansEvents server. One instance serves a whole application, from any thread.
/// </summary>
public sealed class EventsClient : IDisposable
{
    private readonly HttpClient _http;
    private readonly bool _ownsHttp;
    private readonly EventsClientOptions _options;
    private readonly TimeProvider _time;
    private readonly Addresses _addresses;
    private readonly Requests _requests;
    private readonly string _keyPrefix = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(8));
    private long _lastKey;

    /// <summary>Makes a client of one server.</summary>
    /// <param name="server">The server's address, such as <c>http://127.0.0.1:5080</c>.</param>
    /// <param name="http">
    /// What requests go through; credentials belong in its default headers. Null makes one that this client disposes.
    /// </param>
    /// <param name="options">Retries and time limits.</param>
    /// <param name="time">The clock that delays and limits are measured with.</param>
    public EventsClient(
        Uri server, HttpClient? http = null, EventsClientOptions? options = null, TimeProvider? time = null)
    {
        ArgumentNullException.ThrowIfNull(server);
        _addresses = new Addresses(server);
        _ownsHttp = http is null;
        _http = http ?? NewHttpClient(server);
        _options = options ?? new EventsClientOptions();
        _time = time ?? TimeProvider.System;
        _requests = new Requests(_http, _options, _time);
    }

    /// <summary>Publishes one event. Retried with the same key, so that it is appended once.</summary>
    /// <exception cref="EventsException">The server refused, or could not be reached in all attempts.</exception>
    public Task<PublishResult> PublishAsync(
        string stream, NewEvent @event, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(@event);
        return PublishAsync(stream, [@event], cancellationToken);
    }

    /// <summary>
    /// Publishes events together: all are appended next to each other and in order, or none is. The server takes up to
    /// 10,000 events and 8 MiB in one request.
    /// </summary>
    /// <exception cref="EventsException">The server refused, or could not be reached in all attempts.</exception>
    public async Task<PublishResult> PublishAsync(
        string stream, IReadOnlyCollection<NewEvent> events, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(stream);
        ArgumentNullException.ThrowIfNull(events);
        ArgumentOutOfRangeException.ThrowIfZero(events.Count, nameof(events));
        var body = PublishBody.Of(events, NextKey);
        var answer = await _requests
            .SendAsync(HttpMethod.Post, _addresses.Events(stream), body, PublishBody.ContentType, cancellationToken)
            .ConfigureAwait(false);
        return PublishResult.Read(answer);
    }

    /// <summary>
    /// Reads one stream, or every stream that a pattern matches (<c>*</c> is one token, <c>&gt;</c> the rest):
    /// <c>await foreach (var frame in client.ReadAsync("orders"))</c>.
    /// </summary>
    public EventReader ReadAsync(string stream, ReadOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(stream);
        return new EventReader(
            _http, _addresses, [stream], EventReader.IsPattern(stream), options ?? new(), _options, _time);
    }

    /// <summary>Reads several streams and patterns on one connection.</summary>
    public EventReader ReadAsync(IReadOnlyList<string> streams, ReadOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(streams);
        ArgumentOutOfRangeException.ThrowIfZero(streams.Count, nameof(streams));
        return new EventReader(_http, _addresses, [.. streams], many: true, options ?? new(), _options, _time);
    }

    /// <summary>Ends a stream: its readers get the rest and then the end. A stream that has ended stays so.</summary>
    /// <exception cref="EventsException">The server refused, or could not be reached in all attempts.</exception>
    public async Task CompleteAsync(string stream, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(stream);
        try
        {
            await _requests
                .SendAsync(HttpMethod.Post, _addresses.Complete(stream), null, "", cancellationToken)
                .ConfigureAwait(false);
        }
        catch (EventsException ended) when (ended.Code == "STREAM_COMPLETED")
        {
            // By another, or by an attempt of this call whose answer was lost.
        }
    }

    /// <summary>Removes a stream with its events; its name can be used anew. One that is not there stays so.</summary>
    /// <exception cref="EventsException">The server refused, or could not be reached in all attempts.</exception>
    public async Task DeleteAsync(string stream, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(stream);
        try
        {
            await _requests
                .SendAsync(HttpMethod.Delete, _addresses.Of(stream), null, "", cancellationToken)
                .ConfigureAwait(false);
        }
        catch (EventsException away) when (away.Code == "NOT_FOUND")
        {
            // Never made, or removed by an attempt of this call whose answer was lost.
        }
    }

    /// <summary>
    /// Reads a stream on behalf of a named subscriber and acknowledges what it is owed:
    /// <c>await foreach (var arrived in client.Subscribe("orders", "billing"))</c>.
    /// </summary>
    /// <param name="stream">One stream, not a pattern.</param>
    /// <param name="subscriber">The subscriber's name; its first read registers it.</param>
    /// <param name="options">How events are acknowledged.</param>
    public SubscriberReader Subscribe(string stream, string subscriber, SubscribeOptions? options = null)
    {
        options ??= new();
        options.Check();
        var named = Subscriber(stream, subscriber, _options with { Retries = 0 });
        var reader = ReadAsync(stream, options.Reading(subscriber));
        var acknowledgements = new AcknowledgementQueue(named, options, _options, _time);
        return new SubscriberReader(reader, named, acknowledgements, options, _time);
    }

    /// <summary>A named subscriber of a stream, to set up, to look at and to remove.</summary>
    public Subscriber Subscriber(string stream, string subscriber) => Subscriber(stream, subscriber, _options);

    /// <summary>All subscribers of a stream.</summary>
    /// <exception cref="EventsException">The server refused, or could not be reached in all attempts.</exception>
    public async Task<IReadOnlyList<SubscriberDescription>> SubscribersAsync(
        string stream, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(stream);
        var answer = await _requests
            .SendAsync(HttpMethod.Get, _addresses.Subscribers(stream), null, "", cancellationToken)
            .ConfigureAwait(false);
        return [.. answer.Elements("subscribers").Select(SubscriberDescription.Read)];
    }

    /// <summary>Releases the connections, unless the application brought its own.</summary>
    public void Dispose()
    {
        if (_ownsHttp)
            _http.Dispose();
    }

    private Subscriber Subscriber(string stream, string subscriber, EventsClientOptions patience)
    {
        ArgumentException.ThrowIfNullOrEmpty(stream);
        ArgumentException.ThrowIfNullOrEmpty(subscriber);
        return new Subscriber(new Requests(_http, patience, _time), _addresses, stream, subscriber);
    }

    private static HttpClient NewHttpClient(Uri server) => new(new SocketsHttpHandler
    {
        ConnectTimeout = TimeSpan.FromSeconds(10),
        PooledConnectionLifetime = TimeSpan.FromMinutes(5),
        // A proxy set for the machine knows nothing of this machine's own addresses.
        UseProxy = !server.IsLoopback,
    })
    {
        Timeout = Timeout.InfiniteTimeSpan,
    };

    private string NextKey() =>
        string.Create(CultureInfo.InvariantCulture, $"{_keyPrefix}-{Interlocked.Increment(ref _lastKey)}");
}
